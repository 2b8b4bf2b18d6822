/**
 * The figures of a subscriber that nobody reports: what it holds, how much waits in its queue, and how
 * many consume it.
 */
import { Effect, Option, Schedule } from "effect"
import type * as Metrics from "../observe/Metrics.ts"
import type { Broker, Depth } from "./Broker.ts"
import type { Runner } from "./Work.ts"

const every = "15 seconds"

/** Measures now and then, until the scope ends. */
export const watch = Effect.fnUntraced(function* (
  broker: Broker["Service"],
  subscriber: { readonly name: string; readonly ephemeral: boolean },
  runner: Runner,
  metrics: Metrics.SubscriberMetrics
) {
  let depth: Depth | undefined
  const measure = Effect.gen(function* () {
    metrics.inFlight.update(runner.running())
    metrics.held.update(runner.held())
    if (subscriber.ephemeral) return
    depth = Option.getOrUndefined(yield* Effect.option(broker.depth(subscriber.name)))
    if (depth !== undefined) metrics.lag.update(depth.ready)
  })
  yield* Effect.forkScoped(Effect.repeat(measure, Schedule.spaced(every)))
  return {
    /** When its queue was looked at last; undefined when that failed. */
    depth: () => depth
  }
})
