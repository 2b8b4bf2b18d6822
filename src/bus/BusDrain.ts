/**
 * The end of a bus: publishing from outside of handlers stops, every subscriber drains, and what is in flight to
 * the broker gets its answer, all within one budget.
 */
import type * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Monotonic from "../observe/Monotonic.ts"
import type * as Log from "../observe/Log.ts"
import * as Meter from "../observe/Meter.ts"
import * as Metrics from "../observe/Metrics.ts"
import type { InFlightLimit } from "./send/InFlightLimit.ts"
import type { Outbox } from "./send/Outbox.ts"
import type { Subscription } from "./subscriber/Subscription.ts"
import * as DrainBudget from "./support/DrainBudget.ts"
import { CurrentShutdown } from "./support/Shutdown.ts"

/** Subscribers that drain together share the budget: it counts from the first of them. */
export class DrainClock {
  readonly totalMillis: number
  readonly budget: DrainBudget.DrainBudget
  private readonly now: Monotonic.Monotonic
  private beganAt = Number.NEGATIVE_INFINITY

  constructor(timeout: Duration.Input, clock: Clock.Clock) {
    this.totalMillis = Duration.toMillis(Duration.fromInputUnsafe(timeout))
    this.budget = DrainBudget.split(this.totalMillis)
    this.now = Monotonic.of(clock)
  }

  /** Called whenever something begins to drain. A subscriber that drained long ago has used up nothing. */
  readonly begin = (): void => {
    const now = this.now()
    if (now - this.beganAt > this.totalMillis) this.beganAt = now
  }

  /** How long publishes in flight may still wait for their confirms before connections close. */
  leftForConfirms(): number {
    const elapsed = this.now() - this.beganAt
    return Math.max(0, this.totalMillis - this.budget.close - elapsed)
  }
}

/** Returns the drain of the bus. It runs once and to its end, however often it is asked for. */
export const make = Effect.fnUntraced(function* (options: {
  readonly drainClock: DrainClock
  readonly publishing: { readonly limit: InFlightLimit; readonly outbox: Outbox }
  readonly settling: { readonly limit: InFlightLimit; readonly outbox: Outbox }
  readonly subscriptions: () => ReadonlyArray<Subscription>
  readonly log: Log.Log
}) {
  const { drainClock, log, publishing, settling, subscriptions } = options
  const now = yield* Monotonic.make
  const shutdown = yield* CurrentShutdown
  const durations = Meter.seriesBy(Metrics.drainDuration, yield* Effect.context<never>(), {}, "eventbus.outcome")
  durations("whole")

  const drainNow = Effect.gen(function* () {
    const began = now()
    drainClock.begin()
    // Handlers may still publish until they end; other callers may not.
    publishing.limit.setPhase("handlers-only")
    const ended = yield* Effect.forEach(subscriptions(), (subscription) => subscription.drain, {
      concurrency: "unbounded"
    })
    publishing.outbox.shut()
    const flushed = yield* DrainBudget.within(
      drainClock.leftForConfirms(),
      Effect.andThen(publishing.outbox.flushed, settling.outbox.flushed)
    )
    const whole = ended.every(Boolean) && flushed
    durations(whole ? "whole" : "cut off").update((now() - began) / 1000)
    if (!whole) {
      shutdown.cutOff = true
      log.warning("the drain was cut off", {
        publishesOpen: publishing.limit.inFlight(),
        copiesOpen: settling.limit.inFlight()
      })
    }
    return whole
  })

  const drained = yield* Deferred.make<boolean>()
  let draining = false
  return Effect.suspend(() => {
    if (draining) return Deferred.await(drained)
    draining = true
    return Effect.onExit(drainNow, (exit) => Deferred.done(drained, exit))
  }).pipe(Effect.uninterruptible)
})
