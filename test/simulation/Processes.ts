/**
 * The processes of a run: each has the real bus, and they come and go. A process is killed by cutting it off
 * from the broker first, so that nothing that its fibers still do reaches the outside.
 */
import { Context, Effect, Exit, Layer, Scope } from "effect"
import { DeadLetters } from "../../src/bus/deadletter/DeadLetters.ts"
import { EventBus } from "../../src/bus/EventBus.ts"
import { Broker } from "../../src/bus/port/Broker.ts"
import { CacheStore } from "../../src/bus/port/CacheStore.ts"
import { EventCache } from "../../src/bus/read/EventCache.ts"
import * as Batch from "../../src/bus/subscriber/Batch.ts"
import type { DeliveryInfo } from "../../src/bus/subscriber/SubscriberOptions.ts"
import type { Subscription } from "../../src/bus/subscriber/Subscription.ts"
import * as RandomSource from "../support/RandomSource.ts"
import type { AppliedEffects } from "./AppliedEffects.ts"
import type { AttemptRules } from "./AttemptRules.ts"
import type { HandledEvent, Handling } from "./Handling.ts"
import * as HandlerScript from "./HandlerScript.ts"
import { type BrokerPort, type Life, newLife } from "./Life.ts"
import * as ProcessLayer from "./ProcessLayer.ts"
import { contracts, type Subscriber } from "./Setup.ts"

export interface Process {
  readonly life: Life
  readonly bus: EventBus["Service"]
  readonly broker: BrokerPort
  readonly letters: DeadLetters["Service"]
  readonly cache: EventCache["Service"]
  readonly store: CacheStore["Service"]
  readonly subscriptions: Map<string, Subscription>
  /** Runs this until it is done or the process ends. */
  readonly run: (effect: Effect.Effect<unknown, never>) => void
  readonly scope: Scope.Closeable
}

/** A process, one that is starting or ending, or nothing. */
export type Slot = Process | "busy" | undefined

export interface Options extends ProcessLayer.Options {
  readonly applied: AppliedEffects
  readonly rules: AttemptRules
  readonly handling: () => Handling
  readonly registered: Set<string>
  readonly run: (effect: Effect.Effect<void>) => void
}

export class Processes {
  private readonly options: Options
  private readonly generations: Array<number>
  private readonly births: RandomSource.RandomSource
  readonly slots: Array<Slot>
  readonly lives = new Map<string, Life>()
  /** Processes that ended, one way or the other. */
  ended = 0
  /** Processes whose scope is closing. */
  leaving = 0

  constructor(options: Options) {
    const { seed, slots } = options.setup
    this.options = options
    this.slots = Array.from({ length: slots }, () => undefined)
    this.generations = Array.from({ length: slots }, () => 0)
    this.births = RandomSource.forPurpose(seed, "births")
  }

  ready(): ReadonlyArray<Process> {
    return this.slots.filter((slot): slot is Process => slot !== undefined && slot !== "busy")
  }

  /** Starts a process in a free slot; it is there when its subscribers are registered. */
  start(slot: number): void {
    const { observed, run } = this.options
    if (this.slots[slot] !== undefined) return
    this.slots[slot] = "busy"
    const life = newLife(`p${slot}.${++this.generations[slot]!}`, slot)
    this.lives.set(life.name, life)
    run(
      Effect.catchCause(this.begin(life), () =>
        Effect.sync(() => {
          // An orchestrator starts a process again that fails to start.
          if (!life.alive) return
          observed.note(`${life.name} cannot start`)
          this.crash(life)
        })
      )
    )
  }

  crash(life: Life, open: "stored" | "not-stored" = "not-stored"): void {
    if (!life.alive) return
    life.alive = false
    this.options.server.sever(life.name, open)
    this.bury(life)
  }

  /** The broker saw this process die. */
  died(client: string): void {
    const life = this.lives.get(client)
    if (life?.alive === true) this.bury(life)
  }

  /** SIGTERM: the process drains within its budget (P12), and comes back. */
  drain(process: Process): void {
    const { observed, run } = this.options
    const { life } = process
    this.slots[life.slot] = "busy"
    const from = observed.now()
    observed.note(`${life.name} drains`)
    const drained = Effect.gen({ self: this }, function* () {
      const whole = yield* process.bus.drain
      if (!life.alive) return
      this.checkDrain(life, observed.now() - from, whole)
      yield* this.close(life)
      if (!life.alive) return
      life.alive = false
      this.ended++
      observed.note(`${life.name} ends`)
      this.slots[life.slot] = undefined
      this.startLater(life.slot)
    })
    run(drained)
  }

  private checkDrain(life: Life, took: number, whole: boolean): void {
    const { observed, setup } = this.options
    observed.note(`${life.name} has drained in ${took} ms${whole ? "" : ", cut off"}`)
    if (took > setup.drain) observed.violate("P12", `${life.name} drains for ${took} ms of ${setup.drain}`)
    const running = [...life.running.values()].reduce((sum, count) => sum + count, 0)
    if (whole && running > 0) observed.violate("P12", `${life.name} has drained, and ${running} handlers run`)
    const unanswered = life.sending + (life.replaying > 0 ? 0 : life.copying)
    if (whole && unanswered > 0)
      observed.violate("P12", `${life.name} has drained, and ${unanswered} sends have no answer`)
  }

  private begin(life: Life) {
    return Effect.gen({ self: this }, function* () {
      const { observed, registered, setup } = this.options
      const scope = yield* Scope.make()
      life.scope = scope
      const context = yield* Layer.buildWithScope(ProcessLayer.layerOf(this.options, life), scope)
      const forkHere = Effect.runForkWith(yield* Effect.context<never>())
      const process: Process = {
        life,
        bus: Context.get(context, EventBus),
        broker: Context.get(context, Broker),
        letters: Context.get(context, DeadLetters),
        cache: Context.get(context, EventCache),
        store: Context.get(context, CacheStore),
        subscriptions: new Map(),
        // At once: an effect that is interrupted before it began never reports its end.
        run: (effect) => void forkHere(Effect.forkIn(effect, scope, { startImmediately: true })),
        scope
      }
      observed.note(`${life.name} starts`)
      for (const subscriber of setup.subscribers) {
        if (!subscriber.on.includes(life.slot)) continue
        const subscription = yield* this.subscribe(process, subscriber)
        process.subscriptions.set(subscriber.name, this.options.bugs.subscription?.(subscription) ?? subscription)
        if (life.alive) registered.add(subscriber.name)
      }
      if (!life.alive) return
      observed.note(`${life.name} is ready`)
      this.slots[life.slot] = process
    })
  }

  private subscribe({ bus, life, scope }: Process, subscriber: Subscriber) {
    const { applied, bugs, handling, observed, setup } = this.options
    const wanted = bugs.subscriber?.(subscriber) ?? subscriber
    const { batch, breaker, concurrency, events, idempotent, onBlocked, onStoreDown } = wanted
    const { ordering, prefetch, rateLimit } = wanted
    const handle = handling().handlerOf(life, subscriber, () => ({ bus, life }))
    const attempt = (event: HandledEvent, info: DeliveryInfo) =>
      bugs.attempt?.((next) => handle(event, next), info) ?? handle(event, info)
    const options = {
      events: events.map((name) => contracts[name]),
      ordering,
      ...(onBlocked !== undefined && { onBlocked }),
      concurrency,
      prefetch,
      idempotent,
      onStoreDown,
      ...(breaker !== undefined && { breaker }),
      ...(rateLimit !== undefined && { rateLimit }),
      retry: HandlerScript.policies[subscriber.policy].schedule,
      deadline: HandlerScript.deadlineMillis,
      maxPostponed: HandlerScript.maxPostponed,
      announceDeadLetters: setup.seed % 7 === 0
    } as const
    const subscribed =
      batch === undefined
        ? bus.subscribe(subscriber.name, { ...options, handler: attempt })
        : bus.subscribe(subscriber.name, {
            ...options,
            batch,
            handler: (all, infos) =>
              Effect.suspend(() => {
                const since = observed.now()
                return Effect.onInterrupt(
                  Batch.each(all, (event, i) => attempt(event, infos[i]!), { concurrency: "unbounded" }),
                  () =>
                    Effect.sync(() => {
                      const numbers = all.map(({ data }) => data.n)
                      applied.interrupted(life, subscriber.name, numbers)
                      // A batch that misses its deadline has failed for each of its events, handled or not.
                      if (!life.alive || observed.now() - since < HandlerScript.deadlineMillis) return
                      for (const [i, n] of numbers.entries()) observed.failed(subscriber.name, n, infos[i]!.attempt)
                    })
                )
              })
          })
    return subscribed.pipe(Scope.provide(scope), Effect.provide(ProcessLayer.sharedBy(this.options, life)))
  }

  private close(life: Life): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { scope } = life
      if (scope === undefined) return Effect.void
      this.leaving++
      life.leaving = true
      return Effect.ensuring(
        Scope.close(scope, Exit.void),
        Effect.sync(() => void this.leaving--)
      )
    })
  }

  private startLater(slot: number): void {
    const wait = this.births.int(0, 2000)
    this.options.run(
      Effect.andThen(
        Effect.sleep(wait),
        Effect.sync(() => this.start(slot))
      )
    )
  }

  /** What is left to do when a process is dead. */
  private bury(life: Life): void {
    const { applied, handling, observed, rules, run } = this.options
    life.alive = false
    this.ended++
    observed.disturbances++
    observed.note(`${life.name} is killed`)
    for (const [name, held] of life.held) {
      const fate = observed.fates.get(name)
      if (fate !== undefined && held.size > 0 && observed.now() - fate.deliveredAt < 1000) fate.cutShort++
    }
    applied.died(life)
    rules.died(life)
    this.slots[life.slot] = undefined
    handling().died(life)
    run(this.close(life))
    this.startLater(life.slot)
  }
}
