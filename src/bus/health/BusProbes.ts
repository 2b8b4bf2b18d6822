/**
 * The health probes of the bus: its ports, its in-flight limits, and each of its subscribers.
 */
import * as Effect from "effect/Effect"
import * as Monotonic from "../../observe/Monotonic.ts"
import type { Health } from "../../observe/Health.ts"
import type { Broker } from "../port/Broker.ts"
import type { CacheStore } from "../port/CacheStore.ts"
import type { InFlightLimit } from "../send/InFlightLimit.ts"
import type * as Subscription from "../subscriber/Subscription.ts"

/** The probes of the two ports, and of the buffer in front of the cache. */
export const ofPorts = (broker: Broker["Service"], cache: CacheStore["Service"]): ReadonlyArray<Health.Probe> => [
  ...broker.probes.map(({ check, name }): Health.Probe => ({ name, critical: true, check })),
  { name: "cache", critical: false, check: cache.probe },
  writeBehind(cache)
]

/** Degraded while publishes, or the runtime's copies, wait for their in-flight limit. */
export const inFlightLimits = (callers: InFlightLimit, settling: InFlightLimit): Health.Probe => ({
  name: "in-flight limits",
  critical: false,
  check: Effect.sync(() => ({
    status: callers.waiting() > 0 || settling.waiting() > 0 ? "degraded" : "up",
    detail:
      `callers: ${callers.inFlight()} events, ${callers.bytes()} bytes in flight, ${callers.waiting()} waiting; ` +
      `copies: ${settling.inFlight()} in flight, ${settling.waiting()} waiting`
  }))
})

/** With more buffered events than this, the buffer may soon have to drop some. */
const manyPending = 5000
/** Health stays degraded for this long after events were dropped. */
const freshMillis = 60_000

const writeBehind = (store: CacheStore["Service"]): Health.Probe => {
  let before = 0
  let droppedAt = Number.NEGATIVE_INFINITY
  return {
    name: "write-behind",
    critical: false,
    check: Effect.map(
      Effect.map(Monotonic.make, (read) => read()),
      (now): Health.ProbeResult => {
        const stats = store.stats?.()
        if (stats === undefined) return { status: "up", detail: "written at once" }
        const { buffered, dropped } = stats
        if (dropped > before) droppedAt = now
        before = dropped
        return {
          status: now - droppedAt < freshMillis || buffered > manyPending ? "degraded" : "up",
          detail: `${buffered} events wait to be written to the cache, ${dropped} were dropped`
        }
      }
    )
  }
}

export const subscriber = (subscription: Subscription.Subscription): Health.Probe => ({
  name: `subscriber ${subscription.name}`,
  critical: true,
  check: Effect.map(subscription.tree, ({ _tag, cause, claimed, inFlight, lag: { fault }, restarts }) => {
    const isFine = _tag === "Running" && claimed === 0 && fault === undefined
    return {
      // A queue that does not answer is not down: it is the same for every instance, and publishing may go on.
      status: _tag === "Failed" ? "down" : isFine ? "up" : "degraded",
      detail:
        `${_tag}, ${restarts} restarts, ${inFlight} in flight` +
        (claimed === 0 ? "" : `, ${claimed} keys wait for claims of other processes`) +
        (fault === undefined ? "" : `, ${fault}`) +
        (cause === undefined ? "" : `, ${cause}`)
    } satisfies Health.ProbeResult
  })
})
