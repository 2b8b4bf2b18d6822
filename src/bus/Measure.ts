/**
 * The figures of a subscriber that nobody reports: what it holds, in which state it is, how much waits in
 * its queue, and how many consume it. The queue is looked at now and then, the rest whenever it is read.
 */
import { Clock, Effect, Option, Schedule, SubscriptionRef } from "effect"
import type { Definition } from "../observe/Definition.ts"
import * as Meter from "../observe/Meter.ts"
import * as Metrics from "../observe/Metrics.ts"
import type { Broker, Depth } from "./Broker.ts"
import type * as Subscription from "./Subscription.ts"
import type { Counters, Runner } from "./Work.ts"

const every = "15 seconds"

const states: ReadonlyArray<Subscription.Status> = [
  "Starting",
  "Running",
  "Paused",
  "Restarting",
  "Draining",
  "Stopped",
  "Failed"
]

/** Tails come and go by the thousand, and none is like another: they are one in the figures. */
export const nameOf = (subscriber: { readonly name: string; readonly ephemeral: boolean }): string =>
  subscriber.ephemeral ? "ephemeral" : subscriber.name

/** Measures until the scope ends. */
export const watch = Effect.fnUntraced(function* (
  broker: Broker["Service"],
  subscriber: { readonly name: string; readonly ephemeral: boolean },
  runner: Runner,
  its: {
    readonly counters: Counters
    readonly status: SubscriptionRef.SubscriptionRef<Subscription.SubscriberStatus>
  }
) {
  const clock = yield* Clock.Clock
  const context = yield* Effect.context<never>()
  const own = { "eventbus.subscriber": nameOf(subscriber) }
  let depth: Depth | undefined

  const oldest = (): number => {
    let time = Number.POSITIVE_INFINITY
    for (const work of runner.open()) time = Math.min(time, work.event.time.getTime())
    return time === Number.POSITIVE_INFINITY ? 0 : Math.max(0, clock.currentTimeMillisUnsafe() - time) / 1000
  }
  const parked = (): number => runner.parking?.count() ?? 0
  let before = { progress: -1, since: 0 }
  const idle = (): number => {
    const { deadLettered, duplicates, handled, postponed, retried, returns, skipped } = its.counters
    const progress = deadLettered + duplicates + handled + postponed + retried + returns + skipped
    const now = clock.currentTimeMillisUnsafe()
    // What is parked waits because it was told to.
    const busy = runner.running() > 0 || runner.held() > parked() || (depth?.ready ?? 0) > 0
    if (!busy || progress !== before.progress) before = { progress, since: now }
    return (now - before.since) / 1000
  }
  const levels: ReadonlyArray<readonly [Definition, () => number]> = [
    [Metrics.inFlight, runner.running],
    [Metrics.held, runner.held],
    [Metrics.lanes, () => (runner.keys().length > 0 ? runner.lanes() : 0)],
    [Metrics.parked, parked],
    [Metrics.zombies, runner.zombies],
    [Metrics.oldest, oldest],
    [Metrics.idleTime, idle],
    ...(subscriber.ephemeral
      ? []
      : ([
          [Metrics.lag, () => depth?.ready ?? 0],
          [Metrics.consumers, () => depth?.consumers ?? 0]
        ] as const))
  ]
  const stop = [
    ...levels.map(([level, read]) => Meter.observe(level, context, own, read)),
    ...states.map((state) =>
      Meter.observe(Metrics.state, context, { ...own, "eventbus.state": state }, () =>
        SubscriptionRef.getUnsafe(its.status)._tag === state ? 1 : 0
      )
    )
  ]
  yield* Effect.addFinalizer(() => Effect.sync(() => stop.forEach((end) => end())))

  const look = Effect.gen(function* () {
    depth = Option.getOrUndefined(yield* Effect.option(broker.depth(subscriber.name)))
    // Whoever reads seldom must not take the time between two looks for idleness.
    idle()
  })
  if (!subscriber.ephemeral) yield* Effect.forkScoped(Effect.repeat(look, Schedule.spaced(every)))
  return {
    /** When its queue was looked at last; undefined when that failed. */
    depth: () => depth
  }
})
