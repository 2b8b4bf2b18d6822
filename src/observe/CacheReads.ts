/**
 * Counts reads of the cache by their result: hit, miss or error.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Meter from "./Meter.ts"
import * as Metrics from "./Metrics.ts"

export const countReads = <A, E, R>(
  read: Effect.Effect<A, E, R>,
  isHit: (found: A) => boolean
): Effect.Effect<A, E, R> =>
  Effect.withFiber(({ context }) =>
    Effect.onExit(read, (exit) =>
      Effect.sync(() => {
        const result = Exit.isFailure(exit) ? "error" : isHit(exit.value) ? "hit" : "miss"
        Meter.series(Metrics.cacheReads, context, { "eventbus.result": result }).update(1)
      })
    )
  )
