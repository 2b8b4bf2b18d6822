/**
 * The gauges of the bus itself: its in-flight limits, how long the broker blocked it, what waits to be written to
 * the cache, and the depths of its dead-letter queues.
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"
import * as Monotonic from "../../observe/Monotonic.ts"
import * as Meter from "../../observe/Meter.ts"
import * as Metrics from "../../observe/Metrics.ts"
import type { Broker } from "../port/Broker.ts"
import type { CacheStore } from "../port/CacheStore.ts"
import type { InFlightLimit } from "../send/InFlightLimit.ts"
import * as DeadLetterQueues from "./DeadLetterQueues.ts"

export interface GaugeParts {
  readonly broker: Broker["Service"]
  readonly cache: CacheStore["Service"]
  /** The limit of publishes. */
  readonly callers: InFlightLimit
  /** The limit of the runtime's copies. */
  readonly settling: InFlightLimit
}

/** Measures until the scope ends. */
export const start = Effect.fnUntraced(function* ({ broker, cache, callers, settling }: GaugeParts) {
  const context = yield* Effect.context<never>()
  const deadLetters = yield* DeadLetterQueues.start(broker)
  const blockedSeconds = yield* blockedTime(broker)
  startCacheCounters(context)
  const stop = [
    ...observeLimit(callers, "callers", context),
    ...observeLimit(settling, "copies", context),
    Meter.observe(Metrics.blockedTime, context, {}, blockedSeconds),
    Meter.observe(Metrics.cachePending, context, {}, () => cache.stats?.().buffered ?? 0),
    Meter.observe(Metrics.undeliverable, context, {}, () => deadLetters.undeliverable.depth)
  ]
  yield* Effect.addFinalizer(() => Effect.sync(() => stop.forEach((end) => end())))
  return {
    probe: deadLetters.probe,
    /** Measures the dead-letter queue of a subscriber until the current scope ends. */
    subscriber: (name: string) =>
      Effect.acquireRelease(
        Effect.map(deadLetters.add(name), (queue) =>
          Meter.observe(Metrics.deadLetters, context, { "eventbus.subscriber": name }, () => queue.depth)
        ),
        (end) =>
          Effect.sync(() => {
            deadLetters.remove(name)
            end()
          })
      )
  }
})

const observeLimit = (limit: InFlightLimit, name: "callers" | "copies", context: Context.Context<never>) => {
  const labels = { "eventbus.limit": name }
  return [
    Meter.observe(Metrics.limitInFlight, context, labels, limit.inFlight),
    Meter.observe(Metrics.limitBytes, context, labels, limit.bytes),
    Meter.observe(Metrics.limitWaiting, context, labels, limit.waiting)
  ]
}

/** The counters of the cache exist from the start, at 0, although a store may never count. */
const startCacheCounters = (context: Context.Context<never>): void => {
  Meter.series(Metrics.cacheDropped, context)
  for (const result of ["hit", "miss", "error"])
    Meter.series(Metrics.cacheReads, context, { "eventbus.result": result })
}

/** How long the broker has blocked publishing in all, in seconds. */
const blockedTime = Effect.fnUntraced(function* (broker: Broker["Service"]) {
  const now = yield* Monotonic.make
  let millis = 0
  let since: number | undefined
  yield* SubscriptionRef.changes(broker.status).pipe(
    Stream.runForEach(({ _tag }) =>
      Effect.sync(() => {
        const at = now()
        if (since !== undefined) millis += at - since
        since = _tag === "Blocked" ? at : undefined
      })
    ),
    Effect.forkScoped
  )
  return (): number => (millis + (since === undefined ? 0 : now() - since)) / 1000
})
