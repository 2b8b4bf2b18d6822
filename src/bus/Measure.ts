/**
 * The figures of a subscriber that nobody reports: what it holds, how much waits in its queue, and how
 * many consume it.
 */
import { Effect, Schedule } from "effect"
import type * as Metrics from "../observe/Metrics.ts"
import type { Broker } from "./Broker.ts"
import type { Runner } from "./Work.ts"

const every = "15 seconds"

/** Measures now and then, until the scope ends. */
export const watch = Effect.fnUntraced(function* (
  broker: Broker["Service"],
  subscriber: { readonly name: string; readonly ephemeral: boolean },
  runner: Runner,
  metrics: Metrics.SubscriberMetrics
) {
  let consumers: number | undefined
  const measure = Effect.gen(function* () {
    metrics.inFlight.update(runner.running())
    metrics.held.update(runner.held())
    if (subscriber.ephemeral) return
    const depth = yield* Effect.option(broker.depth(subscriber.name))
    consumers = depth._tag === "Some" ? depth.value.consumers : undefined
    if (depth._tag === "Some") metrics.lag.update(depth.value.ready)
  })
  yield* Effect.forkScoped(Effect.repeat(measure, Schedule.spaced(every)))
  return {
    /** When it was looked at last; undefined when that is not known. */
    consumers: () => consumers
  }
})
