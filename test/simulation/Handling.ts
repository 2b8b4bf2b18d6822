/** Handlers of a run: each follows its script, and what it does is checked while it runs. */
import { Effect, Exit, Schema } from "effect"
import { Later, Reject } from "../../src/bus/subscriber/HandlerError.ts"
import type { DeliveryInfo } from "../../src/bus/subscriber/SubscriberOptions.ts"
import type { AppliedEffects } from "./AppliedEffects.ts"
import type { Attempt, AttemptRules } from "./AttemptRules.ts"
import * as HandlerScript from "./HandlerScript.ts"
import { holds, type Life } from "./Life.ts"
import type { Fate, Observations } from "./Observations.ts"
import type { Publisher, Publishing } from "./Publishing.ts"
import type { Setup, Subscriber } from "./Setup.ts"
import { turns } from "./SimClock.ts"

export class SimFailure extends Schema.TaggedError<SimFailure>()("SimFailure", {}) {}

export interface HandledEvent {
  readonly id: string
  readonly time: Date
  readonly data: { readonly n: number; readonly k: string }
  readonly key?: string | undefined
}

type HandlerFailure = SimFailure | Reject | Later

export interface Options {
  readonly setup: Setup
  readonly observed: Observations
  readonly publishing: Publishing
  readonly rules: AttemptRules
  readonly applied: AppliedEffects
  readonly crash: (life: Life) => void
}

interface Running {
  readonly life: Life
  readonly n: number
}

export class Handling {
  private readonly options: Options
  /** Running handlers, by subscriber and key. */
  private readonly running = new Map<string, Set<Running>>()

  constructor(options: Options) {
    this.options = options
  }

  /** The handler of one subscriber in one process. */
  handlerOf(life: Life, subscriber: Subscriber, self: () => Publisher) {
    return (event: HandledEvent, info: DeliveryInfo): Effect.Effect<void, HandlerFailure> => {
      if (!life.alive) return Effect.void
      const { observed, rules, setup } = this.options
      const { name } = subscriber
      const { n } = event.data
      this.started(life, subscriber, event, info)
      const me = { life, n }
      const here = this.enter(subscriber, event, me)
      const attempt = rules.start(life, subscriber, n, info.fence)
      life.running.set(name, (life.running.get(name) ?? 0) + 1)
      const script = HandlerScript.of(setup.mix, name, n)
      const { millis, turns: count } = script
      return (millis > 0 ? Effect.andThen(turns(count), Effect.sleep(millis)) : turns(count)).pipe(
        Effect.andThen(this.act(script, subscriber, event, info, attempt, self)),
        Effect.onExit((exit) =>
          Effect.sync(() => {
            here.delete(me)
            life.running.set(name, (life.running.get(name) ?? 1) - 1)
            if (!life.alive) return
            const failed = this.ended(subscriber, attempt, exit)
            if (failed) observed.failed(name, n, info.attempt)
            if (Exit.isFailure(exit))
              observed.note(`${life.name} ${name} ends with ${String(exit.cause.reasons[0]?._tag)}`, n)
          })
        )
      )
    }
  }

  /** The handlers of a dead process no longer count. */
  died(life: Life): void {
    for (const here of this.running.values()) for (const one of here) if (one.life === life) here.delete(one)
  }

  private started(life: Life, subscriber: Subscriber, event: HandledEvent, info: DeliveryInfo): void {
    const { observed } = this.options
    const { n } = event.data
    const fate = observed.fate(subscriber.name, n)
    const line = observed.note(`${life.name} ${subscriber.name} starts attempt ${info.attempt}`, n)
    if (fate.firstStart === 0) fate.firstStart = line
    fate.starts++
    observed.seen(n, event.id, `a handler of ${subscriber.name}`)
    this.checkDelay(fate, subscriber, info.attempt)
  }

  /** A retry never runs earlier than its Schedule says (P7). */
  private checkDelay(fate: Fate, subscriber: Subscriber, attempt: number): void {
    if (attempt === 1) return
    const { observed } = this.options
    const delay = HandlerScript.policies[subscriber.policy].delays[attempt - 2]
    const due =
      Math.min(...(fate.failures.get(attempt - 1) ?? [Number.POSITIVE_INFINITY])) + (delay ?? Number.POSITIVE_INFINITY)
    if (observed.now() < due)
      observed.violate("P7", `${subscriber.name} attempt ${attempt} runs before ${due} ms`, fate.n)
  }

  /** Handlers of one key never overlap (P6). */
  private enter(subscriber: Subscriber, event: HandledEvent, me: Running): Set<Running> {
    const { name } = subscriber
    const place = `${name}/${event.key ?? ""}`
    const here = this.running.get(place) ?? new Set()
    this.running.set(place, here)
    if (subscriber.ordering === "key" && event.key !== undefined) {
      const text = `of its key ${event.data.k}`
      for (const other of here) {
        if (!other.life.alive || !holds(other.life, name, other.n)) continue
        const both = `handles it in ${me.life.name} while ${other.life.name} handles #${other.n}`
        this.options.observed.violate("P6", `${name} ${both} ${text}`, me.n)
      }
    }
    here.add(me)
    return here
  }

  private act(
    { kind, times }: HandlerScript.HandlerScript,
    subscriber: Subscriber,
    event: HandledEvent,
    info: DeliveryInfo,
    attempt: Attempt,
    self: () => Publisher
  ): Effect.Effect<void, HandlerFailure> {
    const { crash, observed } = this.options
    const done = this.done(subscriber, attempt)
    return Effect.suspend((): Effect.Effect<void, HandlerFailure> => {
      switch (kind) {
        case "ok":
          return done
        case "publish":
          return this.publishChild(subscriber, event, self, done)
        case "later":
          return observed.now() < event.time.getTime() + HandlerScript.laterUntil
            ? Effect.fail(Later.in(HandlerScript.laterMillis))
            : done
        case "later for ever":
          return Effect.fail(Later.in(HandlerScript.laterMillis))
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
            Effect.sync(() => crash(attempt.life)),
            Effect.never
          )
      }
    })
  }

  private done(subscriber: Subscriber, { fence, life, n }: Attempt): Effect.Effect<void> {
    const { applied, observed } = this.options
    return Effect.sync(() => {
      if (!life.alive) return
      observed.fate(subscriber.name, n).done++
      if (subscriber.idempotent) applied.add(subscriber.name, life, n, fence === undefined)
      observed.note(`${life.name} ${subscriber.name} has handled it`, n)
      observed.settled(subscriber.name, n)
    })
  }

  private publishChild(
    subscriber: Subscriber,
    { data: { k, n } }: HandledEvent,
    self: () => Publisher,
    done: Effect.Effect<void>
  ): Effect.Effect<void> {
    const { publishing } = this.options
    // Children have no children.
    if (n >= 1_000_000) return done
    const child = publishing.intend("child", k, {
      n: 1_000_000 + n * 10 + Number(subscriber.name.slice(1)),
      timeout: 1000
    })
    return Effect.andThen(publishing.publish(self(), child), done)
  }

  /** Whether the attempt has failed. */
  private ended(subscriber: Subscriber, attempt: Attempt, exit: Exit.Exit<unknown, HandlerFailure>): boolean {
    const { observed, rules } = this.options
    const reason = Exit.isSuccess(exit) ? undefined : exit.cause.reasons[0]
    // Interrupted before its deadline, the event was given back, which is no failure.
    const from = subscriber.batch === undefined ? attempt.from : attempt.at
    const took = observed.now() - from
    const isInterrupt = reason?._tag === "Interrupt"
    const isGivenBack = isInterrupt && took < HandlerScript.deadlineMillis
    // A drain, or the loss of its consumer, may interrupt it at the very moment of its deadline: which it was says nothing.
    const isReturned = attempt.life.leaving || !holds(attempt.life, subscriber.name, attempt.n)
    const isEither = isInterrupt && isReturned && took === HandlerScript.deadlineMillis
    const isDecision = reason?._tag === "Fail" && !(reason.error instanceof SimFailure)
    rules.end(
      subscriber,
      attempt,
      Exit.isSuccess(exit) ? "done" : isGivenBack || isEither || isDecision ? "other" : "failed"
    )
    return Exit.isFailure(exit) && !isGivenBack
  }
}
