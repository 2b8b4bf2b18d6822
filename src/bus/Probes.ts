/**
 * What the bus itself tells of its health: its doors, and each of its subscribers.
 */
import { Effect, SubscriptionRef } from "effect"
import type * as Health from "../observe/Health.ts"
import type * as Door from "./Door.ts"
import type * as Subscription from "./Subscription.ts"

export const doors = (callers: Door.Door, settling: Door.Door): Health.ProbeResult => ({
  status: callers.waiting() > 0 || settling.waiting() > 0 ? "degraded" : "up",
  detail:
    `callers: ${callers.inFlight()} events, ${callers.bytes()} bytes in flight, ${callers.waiting()} waiting; ` +
    `settlement: ${settling.inFlight()} copies, ${settling.waiting()} waiting`
})

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
