/**
 * The end of a subscriber (P12): nothing new starts, what runs is let run, what waits is handed over or
 * given back, each phase within its part of the budget.
 */
import { Deferred, Effect } from "effect"
import type * as Log from "../observe/Log.ts"
import { type DrainBudget, within } from "./Budget.ts"
import type { Consumption } from "./Consumption.ts"
import type { Runner } from "./Work.ts"

/** Ends it once, whoever asks, with so much time for its handlers; true when nothing had to be interrupted. */
export const make = Effect.fnUntraced(function* (options: {
  readonly subscriber: { readonly name: string; readonly ordering: "none" | "key" }
  readonly runner: Runner
  readonly consumption: Consumption
  readonly budget: DrainBudget
  readonly log: Log.Log
  readonly begin: Effect.Effect<void>
  /** Nothing more is collected for a batch. */
  readonly flush: () => void
  readonly stop: Effect.Effect<void>
  readonly ended: Effect.Effect<void>
}) {
  const { begin, budget, consumption, ended, flush, log, runner, stop, subscriber } = options
  const draining = yield* Deferred.make<boolean>()
  let drainStarted = false
  const drainNow = Effect.fnUntraced(function* (handlersMillis: number) {
    yield* begin
    runner.hold("drain", true)
    if (handlersMillis > 0) flush()
    consumption.end()
    runner.parking?.stop()
    const stopped = subscriber.ordering === "key" || (yield* within(budget.sources, consumption.cancel))
    runner.disturb(() => true, "Drain")
    const finished = yield* within(handlersMillis, runner.quiet)
    const interrupted = runner.running()
    // Those that failed since the first time.
    runner.disturb(() => true, "Drain")
    runner.giveBack(() => true)
    const settled = yield* within(budget.settlement, runner.settledAll)
    const closed = yield* within(budget.close, Effect.andThen(stop, consumption.close))
    yield* ended
    const phases = { sources: stopped, handlers: finished || handlersMillis === 0, settlement: settled, close: closed }
    const cut = Object.entries(phases).flatMap(([phase, whole]) => (whole ? [] : [phase]))
    if (cut.length > 0) {
      log.warning("the drain of a subscriber was cut off", {
        subscriber: subscriber.name,
        phases: cut.join(", "),
        interrupted
      })
    }
    // What could not be told to a broker that is away comes again; nothing was broken off for it.
    return finished && settled
  })
  return (handlersMillis: number): Effect.Effect<boolean> =>
    Effect.suspend(() => {
      if (drainStarted) return Deferred.await(draining)
      drainStarted = true
      return Effect.onExit(drainNow(handlersMillis), (exit) => Deferred.done(draining, exit))
    }).pipe(Effect.uninterruptible)
})
