/**
 * One run's world: a broker, and processes with the real bus that come and go. A process is killed by
 * cutting it off from the broker first, so that nothing of what its fibers still do reaches anybody.
 */
import { Context, Duration, Effect, Exit, Layer, References, Schema, Scope, SubscriptionRef } from "effect"
import { Broker } from "../../src/bus/Broker.ts"
import { Later, Reject } from "../../src/bus/BusError.ts"
import * as Assembly from "../../src/bus/Assembly.ts"
import { DeadLetters } from "../../src/bus/DeadLetters.ts"
import { EventBus } from "../../src/bus/EventBus.ts"
import * as Letters from "../../src/bus/Letters.ts"
import { EventCache } from "../../src/bus/EventCache.ts"
import type { DeliveryInfo } from "../../src/bus/SubscriberOptions.ts"
import type { Subscription } from "../../src/bus/Subscription.ts"
import * as CacheFaults from "../../src/memory/CacheFaults.ts"
import * as Faults from "../../src/memory/Faults.ts"
import * as MemoryBroker from "../../src/memory/MemoryBroker.ts"
import * as MemoryCache from "../../src/memory/MemoryCache.ts"
import { MemoryServer } from "../../src/memory/MemoryServer.ts"
import * as CircuitBreaker from "effect/persistence/CircuitBreaker"
import * as RateLimiter from "effect/persistence/RateLimiter"
import { Marks } from "../../src/bus/Marks.ts"
import * as MemoryMarks from "../../src/memory/MemoryMarks.ts"
import * as Batch from "../../src/bus/Batch.ts"
import * as Actor from "./Actor.ts"
import * as Behaviour from "./Behaviour.ts"
import * as Chance from "./Chance.ts"
import * as Ledger from "./Ledger.ts"
import { contracts, type Name, type Setup, type Subscriber } from "./Setup.ts"
import { type SimClock, turns } from "./SimClock.ts"
import * as Tap from "./Tap.ts"

export class SimFailure extends Schema.TaggedError<SimFailure>()("SimFailure", {}) {}

export interface Process {
  readonly life: Tap.Life
  readonly bus: EventBus["Service"]
  readonly broker: Tap.Service
  readonly letters: DeadLetters["Service"]
  readonly cache: EventCache["Service"]
  readonly subscriptions: Map<string, Subscription>
  /** What it is doing ends with it. */
  readonly run: (effect: Effect.Effect<unknown, never>) => void
  readonly scope: Scope.Closeable
}

export interface Options {
  readonly setup: Setup
  readonly bugs: Tap.Bugs
  readonly clock: SimClock
}

export type World = Effect.Success<ReturnType<typeof make>>

const silent = Layer.succeed(References.MinimumLogLevel, "None" as const)

export const make = Effect.fnUntraced(function* ({ bugs, clock, setup }: Options) {
  const { seed } = setup
  const ledger = Ledger.make(() => clock.currentTimeMillisUnsafe())
  const run = Effect.runForkWith(yield* Effect.context<never>())
  const faults = Faults.seeded({
    seed: Chance.hash(`${seed}/faults`),
    rates: setup.rates,
    limit: setup.faultLimit,
    onFault: (what, client, id) => {
      ledger.disturbances++
      ledger.note(`FAULT ${what}: ${client} ${id}`)
    },
    onCrash: (client) => died(client)
  })
  const server = yield* MemoryServer.makeWith({ returns: setup.returns, faults })
  const actors = Actor.make({
    ledger,
    chance: Chance.of(seed, "marks"),
    rates: setup.marks,
    limit: setup.faultLimit,
    store: yield* MemoryMarks.make,
    fleet: setup.fleet,
    crash: (life) => crash(life)
  })
  const stores = yield* Layer.build(Layer.merge(CircuitBreaker.layerStoreMemory(), RateLimiter.layerStoreMemory))
  /** The stores of breakers and rate limits as one process has them: what is dead changes nothing in them. */
  const sharedBy = (life: Tap.Life) => {
    if (!setup.fleet || bugs.isAlone === true) return Context.empty()
    const store = Context.get(stores, CircuitBreaker.CircuitBreakerStore)
    const refused = (key: string) =>
      new CircuitBreaker.CircuitBreakerError({
        reason: new CircuitBreaker.CircuitOpen({ key, retryAfter: Duration.seconds(1) })
      })
    return Context.add(
      stores,
      CircuitBreaker.CircuitBreakerStore,
      CircuitBreaker.CircuitBreakerStore.of({
        ...store,
        admit: (key) => Effect.suspend(() => (life.alive ? store.admit(key) : Effect.fail(refused(key)))),
        // The probe of who died ends, as its lease would.
        record: (told) => Effect.suspend(() => store.record(life.alive ? told : { ...told, outcome: "Ignored" }))
      })
    )
  }
  /** What runs in each slot: a process, one that starts or ends, or nothing. */
  const slots: Array<Process | "busy" | undefined> = Array.from({ length: setup.slots }, () => undefined)
  const generations = Array.from({ length: setup.slots }, () => 0)
  const registered = new Set<string>()
  /** Subscribers whose queue was deleted: outside of P3. */
  const deleted = new Set<string>()
  /** What handlers are at, by subscriber and key. */
  const atWork = new Map<string, Set<{ readonly life: Tap.Life; readonly n: number }>>()
  const byName = new Map(setup.subscribers.map((subscriber) => [subscriber.name, subscriber]))
  let ended = 0
  let open = 0
  /** Processes that are on their way out. */
  let leaving = 0
  const births = Chance.of(seed, "births")
  let restarts = true

  // -- publishing ---------------------------------------------------------------------------------------

  let numbers = 0
  const intend = (
    event: Name,
    key: string,
    options: Partial<Pick<Ledger.Intent, "delayed" | "mandatory" | "pipelined" | "timeout" | "n">> = {}
  ): Ledger.Intent => {
    const n = options.n ?? ++numbers
    const intent: Ledger.Intent = {
      event,
      key,
      startedAt: ledger.note(`is to be published as ${event} ${key}`, n),
      at: ledger.now(),
      delayed: false,
      mandatory: false,
      pipelined: false,
      timeout: setup.publishTimeout,
      bound: new Set(registered),
      told: undefined,
      toldAt: 0,
      ...options,
      n
    }
    const all = ledger.intents.get(n)
    if (all === undefined) ledger.intents.set(n, [intent])
    else all.push(intent)
    return intent
  }
  const tell = (intent: Ledger.Intent, told: Ledger.Told): void => {
    if (intent.told !== undefined) return ledger.violate("P2", "its publisher was told twice", intent.n)
    intent.told = told
    intent.toldAt = ledger.now()
    const what =
      told._tag === "Failed" ? told.reason : told._tag === "Confirmed" ? `Confirmed, routed ${told.routed}` : told._tag
    ledger.note(`its publisher hears ${what}`, intent.n)
  }
  /** One publish with its outcome; done when it has one. */
  const publish = (
    process: Process,
    intent: Ledger.Intent,
    more: { readonly delay?: number; readonly bad?: boolean } = {}
  ) => {
    const { event, key, mandatory, n } = intent
    const body = more.bad === true ? { n, k: 3 as unknown as string } : { n, k: key }
    const id = ledger.ids.get(n) ?? `e${n}`
    ledger.ids.set(n, id)
    open++
    return process.bus
      .publish(contracts[event], body, {
        id,
        mandatory,
        timeout: intent.timeout,
        ...(more.delay !== undefined && { delay: more.delay })
      })
      .pipe(
        Effect.matchCause({
          onSuccess: ({ routed }): Ledger.Told => ({ _tag: "Confirmed", routed }),
          onFailure: (cause): Ledger.Told => {
            const [reason] = cause.reasons
            return reason?._tag === "Fail" ? { _tag: "Failed", reason: reason.error.reason._tag } : { _tag: "Unheard" }
          }
        }),
        Effect.onExit((exit) =>
          Effect.sync(() => {
            open--
            const told: Ledger.Told = Exit.isSuccess(exit) && process.life.alive ? exit.value : { _tag: "Unheard" }
            tell(intent, told)
          })
        ),
        Effect.asVoid
      )
  }
  const publishAll = (process: Process, intents: ReadonlyArray<Ledger.Intent>) => {
    open++
    const event = intents[0]!.event
    return process.bus
      .publishAll(
        contracts[event],
        intents.map(({ key, n }) => ({ n, k: key })),
        { timeout: setup.publishTimeout }
      )
      .pipe(
        Effect.onExit((exit) =>
          Effect.sync(() => {
            open--
            for (const [index, intent] of intents.entries()) {
              if (!process.life.alive) tell(intent, { _tag: "Unheard" })
              else if (Exit.isSuccess(exit)) tell(intent, { _tag: "Confirmed", routed: undefined })
              else {
                const [reason] = exit.cause.reasons
                if (reason?._tag !== "Fail") {
                  tell(intent, { _tag: "Unheard" })
                  continue
                }
                const { failures, next } = reason.error
                const failure = failures.find((one) => one.index === index)
                if (failure !== undefined) tell(intent, { _tag: "Failed", reason: failure.error.reason._tag })
                else if (index >= next) tell(intent, { _tag: "NotReached" })
                else tell(intent, { _tag: "Confirmed", routed: undefined })
              }
            }
          })
        ),
        Effect.exit,
        Effect.asVoid
      )
  }

  // -- handling -----------------------------------------------------------------------------------------

  const handler =
    (life: Tap.Life, subscriber: Subscriber, self: () => Process) =>
    (
      event: {
        readonly id: string
        readonly time: Date
        readonly data: { readonly n: number; readonly k: string }
        readonly key?: string | undefined
      },
      info: DeliveryInfo
    ): Effect.Effect<void, SimFailure | Reject | Later> => {
      const { k, n } = event.data
      if (!life.alive) return Effect.void
      const fate = ledger.fate(subscriber.name, n)
      const line = ledger.note(`${life.name} ${subscriber.name} starts attempt ${info.attempt}`, n)
      if (fate.firstStart === 0) fate.firstStart = line
      fate.starts++
      ledger.seen(n, event.id, `a handler of ${subscriber.name}`)
      checkTime(fate, subscriber, info.attempt)
      const place = `${subscriber.name}/${event.key ?? ""}`
      const here = atWork.get(place) ?? new Set()
      atWork.set(place, here)
      if (subscriber.ordering === "key" && event.key !== undefined) {
        for (const other of here) {
          if (other.life.alive && Tap.holds(other.life, subscriber.name, other.n)) {
            ledger.violate(
              "P6",
              `${subscriber.name} handles it in ${life.name} while ${other.life.name} handles #${other.n} of its key ${k}`,
              n
            )
          }
        }
      }
      const me = { life, n }
      here.add(me)
      const attempt = actors.start(life, subscriber, n, info.fence)
      life.running.set(subscriber.name, (life.running.get(subscriber.name) ?? 0) + 1)
      const failed = (): void => {
        const all = fate.failures.get(info.attempt) ?? []
        all.push(ledger.now())
        fate.failures.set(info.attempt, all)
      }
      const done = Effect.sync(() => {
        if (!life.alive) return
        fate.done++
        actors.applied(subscriber, attempt)
        ledger.note(`${life.name} ${subscriber.name} has handled it`, n)
        ledger.settled(subscriber.name, n)
      })
      const behaviour = Behaviour.of(setup.mix, subscriber.name, n)
      const { kind, millis, times, turns: count } = behaviour
      const act = Effect.suspend((): Effect.Effect<void, SimFailure | Reject | Later> => {
        switch (kind) {
          case "ok":
            return done
          case "publish": {
            if (n >= 1_000_000) return done
            const child = intend("child", k, {
              n: 1_000_000 + n * 10 + Number(subscriber.name.slice(1)),
              timeout: 1000
            })
            return Effect.andThen(publish(self(), child), done)
          }
          case "later":
            return ledger.now() < event.time.getTime() + Behaviour.laterUntil
              ? Effect.fail(Later.in(Behaviour.laterMillis))
              : done
          case "later for ever":
            return Effect.fail(Later.in(Behaviour.laterMillis))
          case "reject":
            return Effect.fail(info.attempt > times ? new Reject({ reason: "sim" }) : new SimFailure())
          case "fail":
            return info.attempt > times ? done : Effect.fail(new SimFailure())
          case "defect":
            return info.attempt > times ? done : Effect.die(new Error("sim"))
          case "timeout":
            return info.attempt > times ? done : Effect.never
          case "kill":
            return Effect.andThen(
              Effect.sync(() => crash(life)),
              Effect.never
            )
        }
      })
      return (millis > 0 ? Effect.andThen(turns(count), Effect.sleep(millis)) : turns(count)).pipe(
        Effect.andThen(act),
        Effect.onExit((exit) =>
          Effect.sync(() => {
            here.delete(me)
            life.running.set(subscriber.name, (life.running.get(subscriber.name) ?? 1) - 1)
            if (!life.alive) return
            const reason = Exit.isSuccess(exit) ? undefined : exit.cause.reasons[0]
            // Interrupted before its deadline it was given back, which is no failure.
            const from = subscriber.batch === undefined ? attempt.from : attempt.at
            const inTime = ledger.now() - from < Behaviour.deadlineMillis
            const isGivenBack = reason?._tag === "Interrupt" && inTime
            const isItsOwn = reason?._tag === "Fail" && !(reason.error instanceof SimFailure)
            actors.end(
              subscriber,
              attempt,
              Exit.isSuccess(exit) ? "done" : isGivenBack || isItsOwn ? "other" : "failed"
            )
            if (Exit.isSuccess(exit)) return
            if (!isGivenBack) failed()
            ledger.note(`${life.name} ${subscriber.name} ends with ${String(exit.cause.reasons[0]?._tag)}`, n)
          })
        )
      )
    }
  /** A retry never comes earlier than its Schedule says (P7). */
  const checkTime = (fate: Ledger.Fate, subscriber: Subscriber, attempt: number): void => {
    if (attempt === 1) return
    const delay = Behaviour.policies[subscriber.policy].delays[attempt - 2]
    const due =
      Math.min(...(fate.failures.get(attempt - 1) ?? [Number.POSITIVE_INFINITY])) + (delay ?? Number.POSITIVE_INFINITY)
    if (ledger.now() < due) ledger.violate("P7", `${subscriber.name} attempt ${attempt} runs before ${due} ms`, fate.n)
  }

  // -- processes ----------------------------------------------------------------------------------------

  const processLayer = (life: Tap.Life) => {
    const port = Layer.effect(
      Broker,
      Effect.map(MemoryBroker.make(server, { namespace: "sim", name: life.name }), (broker) => {
        const tapped = Tap.tap(broker, ledger, life, setup, (name) => byName.get(name)?.prefetch ?? 250)
        return Broker.of(bugs.port === undefined ? tapped : bugs.port(tapped))
      })
    )
    const marks = actors.marks(life)
    const store = Effect.map(MemoryCache.make(), (cache) =>
      EventCache.fromStore(
        setup.cache === 0 ? cache : CacheFaults.seeded(cache, { seed: Chance.hash(`${seed}/cache`), rate: setup.cache })
      )
    )
    return Layer.merge(
      Assembly.layerWith({
        source: "sim",
        publishTimeout: setup.publishTimeout,
        inFlight: { count: setup.inFlight },
        drain: setup.drain
      }),
      Letters.layer
    ).pipe(
      Layer.provideMerge(Layer.merge(port, Layer.effect(EventCache, store))),
      Layer.provide(Layer.succeed(Marks, Marks.of(bugs.marks?.(marks) ?? marks))),
      Layer.provide(silent)
    )
  }

  /** Starts a process in a free slot; it is there when its subscribers are registered. */
  const start = (slot: number): void => {
    if (slots[slot] !== undefined) return
    slots[slot] = "busy"
    const life: Tap.Life = {
      name: `p${slot}.${++generations[slot]!}`,
      slot,
      alive: true,
      held: new Map(),
      running: new Map(),
      scope: undefined,
      sending: 0,
      copying: 0,
      replaying: 0
    }
    lives.set(life.name, life)
    run(
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        life.scope = scope
        const context = yield* Layer.buildWithScope(processLayer(life), scope)
        const forkHere = Effect.runForkWith(yield* Effect.context<never>())
        const process: Process = {
          life,
          bus: Context.get(context, EventBus),
          broker: Context.get(context, Broker),
          letters: Context.get(context, DeadLetters),
          cache: Context.get(context, EventCache),
          subscriptions: new Map(),
          // At once: what is interrupted before it began would never tell its end.
          run: (effect) => void forkHere(Effect.forkIn(effect, scope, { startImmediately: true })),
          scope
        }
        ledger.note(`${life.name} starts`)
        for (const subscriber of setup.subscribers) {
          if (!subscriber.on.includes(slot)) continue
          const wanted = bugs.subscriber?.(subscriber) ?? subscriber
          const { batch, breaker, concurrency, events, idempotent, onBlocked, onStoreDown } = wanted
          const { ordering, prefetch, rateLimit } = wanted
          const handle = handler(life, subscriber, () => process)
          const attempt = (event: Parameters<typeof handle>[0], info: DeliveryInfo) =>
            bugs.attempt?.((next) => handle(event, next), info) ?? handle(event, info)
          const options = {
            events: events.map((name) => contracts[name]),
            ordering,
            onBlocked,
            concurrency,
            prefetch,
            idempotent,
            onStoreDown,
            ...(breaker !== undefined && { breaker }),
            ...(rateLimit !== undefined && { rateLimit }),
            retry: Behaviour.policies[subscriber.policy].schedule,
            deadline: Behaviour.deadlineMillis,
            maxPostponed: Behaviour.maxPostponed,
            announce: seed % 7 === 0
          } as const
          const subscribed =
            batch === undefined
              ? process.bus.subscribe(subscriber.name, { ...options, handler: attempt })
              : process.bus.subscribe(subscriber.name, {
                  ...options,
                  batch,
                  handler: (all, infos) =>
                    Batch.each(all, (event, i) => attempt(event, infos[i]!), { concurrency: "unbounded" }).pipe(
                      Effect.onInterrupt(() =>
                        Effect.sync(() => {
                          const numbers = all.map(({ data }) => data.n)
                          actors.interrupted(life, subscriber, numbers)
                        })
                      )
                    )
                })
          const subscription = yield* subscribed.pipe(Scope.provide(scope), Effect.provide(sharedBy(life)))
          process.subscriptions.set(subscriber.name, bugs.subscription?.(subscription) ?? subscription)
          if (life.alive) registered.add(subscriber.name)
        }
        if (!life.alive) return
        ledger.note(`${life.name} is ready`)
        slots[slot] = process
      }).pipe(
        Effect.catchCause(() =>
          Effect.sync(() => {
            // An orchestrator starts again what does not start.
            if (!life.alive) return
            ledger.note(`${life.name} cannot start`)
            crash(life)
          })
        )
      )
    )
  }
  const lives = new Map<string, Tap.Life>()
  const close = (life: Tap.Life) =>
    Effect.suspend(() => {
      if (life.scope === undefined) return Effect.void
      leaving++
      return Effect.ensuring(
        Scope.close(life.scope, Exit.void),
        Effect.sync(() => void leaving--)
      )
    })
  const startLater = (slot: number): void => {
    if (!restarts) return
    const wait = births.int(0, 2000)
    run(
      Effect.andThen(
        Effect.sleep(wait),
        Effect.sync(() => start(slot))
      )
    )
  }
  /** What is left when it is dead already. */
  const buried = (life: Tap.Life): void => {
    life.alive = false
    ended++
    ledger.disturbances++
    ledger.note(`${life.name} is killed`)
    actors.died(life)
    slots[life.slot] = undefined
    for (const here of atWork.values()) for (const one of here) if (one.life === life) here.delete(one)
    run(close(life))
    startLater(life.slot)
  }
  const crash = (life: Tap.Life, open: "stored" | "not stored" = "not stored"): void => {
    if (!life.alive) return
    life.alive = false
    server.sever(life.name, open)
    buried(life)
  }
  const died = (client: string): void => {
    const life = lives.get(client)
    if (life?.alive === true) buried(life)
  }
  /** SIGTERM: drains within its budget (P12), and comes back. */
  const drain = (process: Process): void => {
    const { life } = process
    slots[life.slot] = "busy"
    const from = ledger.now()
    ledger.note(`${life.name} drains`)
    run(
      Effect.gen(function* () {
        const whole = yield* process.bus.drain
        if (!life.alive) return
        const took = ledger.now() - from
        ledger.note(`${life.name} has drained in ${took} ms${whole ? "" : ", cut off"}`)
        if (took > setup.drain) ledger.violate("P12", `${life.name} drains for ${took} ms of ${setup.drain}`)
        const running = [...life.running.values()].reduce((sum, count) => sum + count, 0)
        if (whole && running > 0) ledger.violate("P12", `${life.name} has drained, and ${running} handlers run`)
        const unanswered = life.sending + (life.replaying > 0 ? 0 : life.copying)
        if (whole && unanswered > 0)
          ledger.violate("P12", `${life.name} has drained, and ${unanswered} sends have no answer`)
        yield* close(life)
        if (!life.alive) return
        life.alive = false
        ended++
        ledger.note(`${life.name} ends`)
        slots[life.slot] = undefined
        startLater(life.slot)
      })
    )
  }

  return {
    setup,
    ledger,
    run,
    turns,
    /** Lets time pass, with what happens meanwhile. */
    pass: (millis: number) => Effect.andThen(clock.pass(millis), turns(3)),
    server,
    faults,
    actors,
    slots,
    lives,
    registered,
    deleted,
    intend,
    publish,
    publishAll,
    start,
    crash,
    drain,
    processes: (): ReadonlyArray<Process> =>
      slots.filter((slot): slot is Process => slot !== undefined && slot !== "busy"),
    /** Whether every process is there and every subscriber consumes. */
    whole: (): boolean =>
      slots.every(
        (slot) =>
          slot !== undefined &&
          slot !== "busy" &&
          [...slot.subscriptions.values()].every(({ status }) => SubscriptionRef.getUnsafe(status)._tag === "Running")
      ),
    /** What waits in the queues of subscribers, whether or not somebody consumes. */
    waiting: Effect.gen(function* () {
      const [process] = slots
      if (process === undefined || process === "busy") return 1
      let count = 0
      for (const name of registered)
        count += (yield* Effect.orElseSucceed(process.broker.depth(name), () => ({ ready: 1 }))).ready
      return count
    }),
    /** Publishes without an outcome. */
    open: () => open,
    leaving: () => leaving,
    stopRestarts: () => {
      restarts = false
    },
    /** Processes that ended, one way or the other. */
    ended: () => ended
  }
})
