/**
 * The figures of a subscriber that nobody reports: what it holds, and how much waits in its queue.
 */
import { Effect, Schedule } from "effect"
import type * as Metrics from "../observe/Metrics.ts"
import type { Broker } from "./Broker.ts"
import type { Runner } from "./Work.ts"

const every = "15 seconds"

/** Measures now and then, until the scope ends. */
export const watch = (
  broker: Broker["Service"],
  subscriber: { readonly name: string; readonly ephemeral: boolean },
  runner: Runner,
  metrics: Metrics.SubscriberMetrics
) => {
  const measure = Effect.gen(function* () {
    metrics.inFlight.update(runner.running())
    metrics.held.update(runner.held())
    if (subscriber.ephemeral) return
    const depth = yield* Effect.option(broker.depth(subscriber.name))
    if (depth._tag === "Some") metrics.lag.update(depth.value.ready)
  })
  return Effect.forkScoped(Effect.repeat(measure, Schedule.spaced(every)))
}
