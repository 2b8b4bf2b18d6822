/**
 * How reads of the cache end: a hit, a miss, or an error.
 */
import { Effect, Exit } from "effect"
import * as Meter from "./Meter.ts"
import * as Metrics from "./Metrics.ts"

export const counted = <A, E, R>(read: Effect.Effect<A, E, R>, isHit: (found: A) => boolean): Effect.Effect<A, E, R> =>
  Effect.withFiber(({ context }) =>
    Effect.onExit(read, (exit) =>
      Effect.sync(() => {
        const result = Exit.isFailure(exit) ? "error" : isHit(exit.value) ? "hit" : "miss"
        Meter.bind(Metrics.cacheReads, context, { "eventbus.result": result }).update(1)
      })
    )
  )
