/**
 * The gauges of a subscriber: what it holds, its state, how many events wait in its queue, and how many consumers
 * read it. The queue is looked at now and then; everything else is read on each collection.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as SubscriptionRef from "effect/SubscriptionRef"
import * as Monotonic from "../../observe/Monotonic.ts"
import type * as Log from "../../observe/Log.ts"
import type { Definition } from "../../observe/MetricDefinition.ts"
import * as Meter from "../../observe/Meter.ts"
import * as Metrics from "../../observe/Metrics.ts"
import type { Counters } from "../delivery/PolicyParts.ts"
import type { Runner } from "../handle/RunnerApi.ts"
import type { Broker, Depth } from "../port/Broker.ts"
import type * as Subscription from "../subscriber/Subscription.ts"
import { QueueLook } from "./QueueLook.ts"

const states: ReadonlyArray<Subscription.Status> = [
  "Starting",
  "Running",
  "Paused",
  "Restarting",
  "Draining",
  "Stopped",
  "Failed"
]

/** Ephemeral subscribers come and go by the thousand under names of their own, so metrics count them as one. */
export const nameOf = (subscriber: { readonly name: string; readonly ephemeral: boolean }): string =>
  subscriber.ephemeral ? "ephemeral" : subscriber.name

export interface GaugeParts {
  readonly broker: Broker["Service"]
  readonly subscriber: { readonly name: string; readonly ephemeral: boolean }
  readonly runner: Runner
  readonly counters: Counters
  /** How many of its events are parked. */
  readonly parked: () => number
  readonly log: Log.Log
  readonly status: SubscriptionRef.SubscriptionRef<Subscription.SubscriberStatus>
}

/** Measures until the scope ends. */
export const start = Effect.fnUntraced(function* (parts: GaugeParts) {
  const { broker, status, subscriber } = parts
  const context = yield* Effect.context<never>()
  const labels = { "eventbus.subscriber": nameOf(subscriber) }
  const now = yield* Monotonic.make
  const isConsuming = (): boolean => SubscriptionRef.getUnsafe(status)._tag === "Running"
  const look = new QueueLook({ broker, subscriber: subscriber.name, log: parts.log, isConsuming }, now)
  const depth = () => look.depth()
  const idleSeconds = idleTime(parts, now, depth)
  const stop = [
    ...gauges(parts, yield* Clock.Clock, idleSeconds, depth).map(([gauge, read]) =>
      Meter.observe(gauge, context, labels, read)
    ),
    ...states.map((state) =>
      Meter.observe(Metrics.state, context, { ...labels, "eventbus.state": state }, () =>
        SubscriptionRef.getUnsafe(status)._tag === state ? 1 : 0
      )
    )
  ]
  yield* Effect.addFinalizer(() => Effect.sync(() => stop.forEach((end) => end())))

  // Idle time is sampled here too: with rare collections, the time between two of them would count as idle.
  look.onLook = () => void idleSeconds()
  if (!subscriber.ephemeral) yield* Effect.forkScoped(look.run)
  return look
})

type Gauge = readonly [Definition, () => number]

const gauges = (
  { parked, runner, subscriber }: GaugeParts,
  clock: Clock.Clock,
  idleSeconds: () => number,
  depth: () => Depth | undefined
): ReadonlyArray<Gauge> => {
  const oldestSeconds = (): number => {
    const oldest = runner.oldest()
    return oldest === undefined ? 0 : Math.max(0, clock.currentTimeMillisUnsafe() - oldest.getTime()) / 1000
  }
  const ofQueue: ReadonlyArray<Gauge> = [
    [Metrics.lag, () => depth()?.ready ?? 0],
    [Metrics.consumers, () => depth()?.consumers ?? 0]
  ]
  return [
    [Metrics.inFlight, runner.running],
    [Metrics.held, runner.held],
    [Metrics.lanes, () => (runner.keys().length > 0 ? runner.lanes() : 0)],
    [Metrics.parked, parked],
    [Metrics.zombies, runner.zombies],
    [Metrics.oldest, oldestSeconds],
    [Metrics.idleTime, idleSeconds],
    ...(subscriber.ephemeral ? [] : ofQueue)
  ]
}

/** How long the subscriber has had work and made no progress. */
const idleTime = (
  { counters, parked, runner }: GaugeParts,
  monotonic: Monotonic.Monotonic,
  depth: () => Depth | undefined
): (() => number) => {
  let last = { progress: -1, since: 0 }
  return () => {
    const { deadLettered, duplicates, handled, postponed, retried, returns, skipped } = counters
    const progress = deadLettered + duplicates + handled + postponed + retried + returns + skipped
    const now = monotonic()
    // Parked events wait on purpose.
    const isBusy = runner.running() > 0 || runner.held() > parked() || (depth()?.ready ?? 0) > 0
    if (!isBusy || progress !== last.progress) last = { progress, since: now }
    return (now - last.since) / 1000
  }
}
