/**
 * The subscribers of a bus: who there is, what they may hold together, and how those that end together
 * drain together.
 */
import { Effect, type Scope } from "effect"
import { getHeapStatistics } from "node:v8"
import * as Limits from "../event/Limits.ts"
import type * as Log from "../observe/Log.ts"
import type * as Subscription from "./Subscription.ts"

type One = Subscription.Subscription

const heapLimit = getHeapStatistics().heap_size_limit

export const make = (log: Log.Log) => {
  const active = new Set<One>()
  const ofScope = new WeakMap<Scope.Scope, Set<One>>()
  /** Deliveries that all subscribers together may hold (P13). */
  let prefetched = 0
  let warned = false

  const weigh = (prefetch: number): void => {
    prefetched += prefetch
    if (warned || prefetched * Limits.defaults.bodyBytes <= heapLimit / 4) return
    warned = true
    log.warning("the subscribers of this process may hold more than a quarter of the heap", {
      prefetched,
      largestBody: Limits.defaults.bodyBytes,
      heapLimit,
      remedy: "lower `prefetch` or `concurrency`, or raise --max-old-space-size"
    })
  }

  return {
    all: (): ReadonlyArray<One> => [...active],
    /** Starts a subscriber, and knows it until its scope ends. */
    enter: Effect.fnUntraced(function* <E, R>(prefetch: number, start: Effect.Effect<One, E, R>) {
      const scope = yield* Effect.scope
      const mine: Array<One> = []
      // Added first, so it runs last: a subscription that drains by itself is waited for by the bus.
      yield* Effect.addFinalizer(() =>
        Effect.sync(() => {
          for (const one of mine) {
            active.delete(one)
            prefetched -= prefetch
          }
        })
      )
      const one = yield* start
      mine.push(one)
      active.add(one)
      weigh(prefetch)
      // Those of one scope end one after the other: they begin to drain together.
      const siblings = ofScope.get(scope) ?? new Set()
      ofScope.set(scope, siblings.add(one))
      yield* Effect.addFinalizer(() =>
        Effect.forEach([...siblings], ({ drain }) => Effect.forkDetach(drain, { startImmediately: true }), {
          discard: true
        })
      )
      return one
    })
  }
}
