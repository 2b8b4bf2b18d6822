/**
 * What the bus itself tells of its health: its doors, and each of its subscribers.
 */
import { Clock, Effect, SubscriptionRef } from "effect"
import type * as Health from "../observe/Health.ts"
import type { CacheStore } from "./EventCache.ts"
import type * as Door from "./Door.ts"
import type * as Subscription from "./Subscription.ts"

export const doors = (callers: Door.Door, settling: Door.Door): Health.ProbeResult => ({
  status: callers.waiting() > 0 || settling.waiting() > 0 ? "degraded" : "up",
  detail:
    `callers: ${callers.inFlight()} events, ${callers.bytes()} bytes in flight, ${callers.waiting()} waiting; ` +
    `settlement: ${settling.inFlight()} copies, ${settling.waiting()} waiting`
})

/** Above this much of what a buffer takes events may soon be forgotten. */
const manyPending = 5000
/** So long a drop is told of. */
const freshMillis = 60_000

export const writeBehind = (store: CacheStore): Health.Probe => {
  let before = 0
  let droppedAt = Number.NEGATIVE_INFINITY
  return {
    name: "write-behind",
    critical: false,
    check: Effect.map(Clock.currentTimeMillis, (now): Health.ProbeResult => {
      const stats = store.stats?.()
      if (stats === undefined) return { status: "up", detail: "written at once" }
      const { buffered, dropped } = stats
      if (dropped > before) droppedAt = now
      before = dropped
      return {
        status: now - droppedAt < freshMillis || buffered > manyPending ? "degraded" : "up",
        detail: `${buffered} events wait to be written to the cache, ${dropped} were dropped`
      }
    })
  }
}

export const subscriber = (subscription: Subscription.Subscription): Health.Probe => ({
  name: `subscriber ${subscription.name}`,
  critical: true,
  check: Effect.gen(function* () {
    const { _tag, cause, restarts } = yield* SubscriptionRef.get(subscription.status)
    const stats = yield* subscription.stats
    return {
      status: _tag === "Running" ? "up" : _tag === "Failed" ? "down" : "degraded",
      detail: `${_tag}, ${restarts} restarts, ${stats.inFlight} in flight${cause === undefined ? "" : `, ${cause}`}`
    } satisfies Health.ProbeResult
  })
})
