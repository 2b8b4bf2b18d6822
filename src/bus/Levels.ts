/**
 * The figures of the bus itself: its doors, the time it was blocked, what waits for the cache, and the
 * queues of what was given up. Those are looked at now and then, for the metrics and for health.
 */
import { Clock, Effect, Option, Schedule, Stream, SubscriptionRef } from "effect"
import type * as Health from "../observe/Health.ts"
import * as Meter from "../observe/Meter.ts"
import * as Metrics from "../observe/Metrics.ts"
import type { Broker } from "./Broker.ts"
import type { Door } from "./Door.ts"
import type { EventCache } from "./EventCache.ts"

const every = "15 seconds"
/** So long a queue that grew is told of. */
const freshMillis = 5 * 60_000

interface Pile {
  depth: number
  /** When it was seen to grow. */
  grewAt: number | undefined
}

/** Looks until the scope ends. */
export const watch = Effect.fnUntraced(function* (parts: {
  readonly broker: Broker["Service"]
  readonly cache: EventCache["Service"]
  readonly callers: Door
  readonly settling: Door
}) {
  const { broker, cache } = parts
  const clock = yield* Clock.Clock
  const context = yield* Effect.context<never>()
  const scope = yield* Effect.scope
  const piles = new Map<string, Pile>()
  const undelivered: Pile = { depth: 0, grewAt: undefined }

  let blockedMillis = 0
  let blockedSince: number | undefined
  yield* SubscriptionRef.changes(broker.status).pipe(
    Stream.runForEach(({ _tag }) =>
      Effect.sync(() => {
        const now = clock.currentTimeMillisUnsafe()
        if (blockedSince !== undefined) blockedMillis += now - blockedSince
        blockedSince = _tag === "Blocked" ? now : undefined
      })
    ),
    Effect.forkScoped
  )
  const blocked = (): number =>
    (blockedMillis + (blockedSince === undefined ? 0 : clock.currentTimeMillisUnsafe() - blockedSince)) / 1000

  const stats = () => cache.store.stats?.()
  // Who writes behind counts; until then there is nothing.
  Meter.bind(Metrics.cacheDropped, context)
  for (const result of ["hit", "miss", "error"]) Meter.bind(Metrics.cacheReads, context, { "eventbus.result": result })
  const stop = [
    ...(["callers", "settling"] as const).flatMap((which) => {
      const door = parts[which]
      const own = { "eventbus.door": which === "settling" ? "settlement" : which }
      return [
        Meter.observe(Metrics.doorInFlight, context, own, door.inFlight),
        Meter.observe(Metrics.doorSize, context, own, door.bytes),
        Meter.observe(Metrics.doorWaiting, context, own, door.waiting)
      ]
    }),
    Meter.observe(Metrics.blockedTime, context, {}, blocked),
    Meter.observe(Metrics.cachePending, context, {}, () => stats()?.buffered ?? 0),
    Meter.observe(Metrics.undeliverable, context, {}, () => undelivered.depth)
  ]
  yield* Effect.addFinalizer(() => Effect.sync(() => stop.forEach((end) => end())))

  const look = Effect.fnUntraced(function* (source: Parameters<typeof broker.deadLetterDepth>[0], pile: Pile) {
    const depth = Option.getOrUndefined(yield* Effect.option(broker.deadLetterDepth(source)))
    if (depth === undefined) return
    if (depth > pile.depth) pile.grewAt = clock.currentTimeMillisUnsafe()
    pile.depth = depth
  })
  const lookAt = (name: string, pile: Pile) => look({ _tag: "Subscriber", name }, pile)
  // Not while there is no subscriber: a service that only publishes needs no connection for consuming.
  const round = Effect.suspend(() =>
    piles.size === 0
      ? Effect.void
      : Effect.andThen(
          look({ _tag: "Undeliverable" }, undelivered),
          Effect.forEach([...piles], ([name, pile]) => lookAt(name, pile), { discard: true })
        )
  )
  yield* Effect.forkScoped(Effect.repeat(round, Schedule.spaced(every)))

  const isFresh = ({ grewAt }: Pile): boolean =>
    grewAt !== undefined && clock.currentTimeMillisUnsafe() - grewAt < freshMillis
  const check = Effect.sync((): Health.ProbeResult => {
    const full = [...piles].filter(([, { depth }]) => depth > 0)
    const growing = full.filter(([, pile]) => isFresh(pile))
    const listed = full.map(([name, { depth }]) => `${name}: ${depth}`).join(", ")
    const parts = [
      ...(undelivered.depth > 0
        ? [`${undelivered.depth} delayed events that nobody wanted: replay or discard them`]
        : []),
      ...(full.length > 0 ? [`dead letters of ${listed}${growing.length > 0 ? ", growing" : ""}`] : [])
    ]
    return {
      status: undelivered.depth > 0 || growing.length > 0 ? "degraded" : "up",
      detail: parts.length === 0 ? "none" : parts.join("; ")
    }
  })

  return {
    /** Looks at the dead letters of a subscriber, too, until the current scope ends. */
    subscriber: (name: string) =>
      Effect.acquireRelease(
        Effect.suspend(() => {
          const pile: Pile = { depth: 0, grewAt: undefined }
          piles.set(name, pile)
          const end = Meter.observe(Metrics.deadLetters, context, { "eventbus.subscriber": name }, () => pile.depth)
          return Effect.as(Effect.forkIn(lookAt(name, pile), scope), end)
        }),
        (end) =>
          Effect.sync(() => {
            piles.delete(name)
            end()
          })
      ),
    probe: { name: "dead letters", critical: false, check } satisfies Health.Probe
  }
})
