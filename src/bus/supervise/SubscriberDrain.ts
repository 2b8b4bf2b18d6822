/**
 * The end of a subscriber, in bounded time: nothing new starts, running handlers may end, waiting deliveries are
 * sent again or returned, each phase within its part of the budget.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Log from "../../observe/Log.ts"
import type { Runner } from "../handle/RunnerApi.ts"
import type { Parking } from "../park/Parking.ts"
import { type DrainBudget, within } from "../support/DrainBudget.ts"
import type { Consumers } from "./Consumers.ts"

export interface DrainParts {
  readonly subscriber: { readonly name: string; readonly ordering: "none" | "key"; readonly ephemeral: boolean }
  readonly runner: Runner
  readonly parking: Parking | undefined
  readonly consumers: Consumers
  readonly budget: DrainBudget
  readonly log: Log.Log
  /** Runs first: the subscriber is draining. */
  readonly onBegin: Effect.Effect<void>
  /** Makes batches start with the events they have. */
  readonly flush: () => void
  /** Ends the supervision: a lost consumer must not be replaced while the old one closes. */
  readonly stopSupervising: Effect.Effect<void>
  /** Runs last: the subscriber has stopped, in this way. */
  readonly onEnd: (how: string) => Effect.Effect<void>
}

/**
 * Returns the drain, which runs once however often it is asked for. Its argument is the time for running
 * handlers; its result is whether nothing had to be interrupted.
 */
export const make = Effect.fnUntraced(function* (parts: DrainParts) {
  const { budget, consumers, log, runner, subscriber } = parts
  const drained = yield* Deferred.make<boolean>()
  let isDraining = false
  const drainNow = Effect.fnUntraced(function* (handlersMillis: number) {
    yield* parts.onBegin
    runner.hold("drain", true)
    if (handlersMillis > 0) parts.flush()
    consumers.end()
    parts.parking?.stop()
    // By key a cancel would start the standby beside the handlers that still run.
    const stopped = subscriber.ordering === "key" || (yield* within(budget.sources, consumers.cancel))
    runner.wake(() => true, "Drain")
    const finished = yield* within(handlersMillis, runner.quiet)
    const interrupted = runner.running()
    // Again, for handlers that failed since and now wait.
    runner.wake(() => true, "Drain")
    runner.giveBack(() => true)
    const settled = yield* within(budget.settlement, runner.settledAll)
    const reminder = (parts.parking?.count() ?? 0) > 0 ? parts.parking?.remind : undefined
    const close = Effect.andThen(parts.stopSupervising, consumers.close)
    const closed = yield* within(budget.close, Effect.andThen(close, reminder ?? Effect.void))
    const phases = { sources: stopped, handlers: finished || handlersMillis === 0, settlement: settled, close: closed }
    const cut = Object.entries(phases).flatMap(([phase, whole]) => (whole ? [] : [phase]))
    const how = handlersMillis > 0 ? "it was drained" : "it was stopped"
    yield* parts.onEnd(cut.length > 0 ? `${how}, and cut off: ${cut.join(", ")}` : how)
    if (cut.length > 0) {
      log.warning("the drain of a subscriber was cut off", {
        subscriber: subscriber.name,
        phases: cut.join(", "),
        interrupted
      })
    } else if (!subscriber.ephemeral) {
      log.info(handlersMillis > 0 ? "a subscriber was drained" : "a subscriber was stopped", {
        subscriber: subscriber.name
      })
    }
    // An ack that a broker that is away did not get makes the event come again, but interrupted nothing.
    return finished && settled
  })
  return (handlersMillis: number): Effect.Effect<boolean> =>
    Effect.suspend(() => {
      if (isDraining) return Deferred.await(drained)
      isDraining = true
      return Effect.onExit(drainNow(handlersMillis), (exit) => Deferred.done(drained, exit))
    }).pipe(Effect.uninterruptible)
})
