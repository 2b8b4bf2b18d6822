/** Shows events: live by a pattern, and as they are remembered in Redis. It takes nothing from anybody. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { Broker } from "../../bus/port/Broker.ts"
import { BrokerError } from "../../bus/port/BrokerError.ts"
import { SettingsInvalid } from "../../bus/port/BrokerReason.ts"
import type { CacheError } from "../../bus/port/CacheError.ts"
import type { CacheStore, Remembered } from "../../bus/port/CacheStore.ts"
import type { Examiner } from "../../bus/port/Examination.ts"
import { checkPattern, matcher } from "../../event/Name.ts"
import type { OpenBus, OpenCache } from "../Bus.ts"
import { feed } from "./LiveFeed.ts"
import type * as LiveReports from "../LiveReports.ts"
import { RequestInvalid, RightsMissing } from "../OperationsError.ts"
import { type Seen, seenOf, type Showing } from "./SeenEvent.ts"
import { Watched } from "./Watched.ts"

/** What a live operation writes, one after the other. */
export type LiveItem = typeof LiveReports.TailBegun.Type | typeof LiveReports.Seen.Type | typeof LiveReports.Gap.Type

export interface TailRequest extends Showing {
  /** A name, or a pattern such as `academic.#`. */
  readonly pattern: string
  /** Ends after this many events. */
  readonly limit?: number | undefined
  readonly onItem: (item: LiveItem) => Effect.Effect<void>
}

export interface WatchRequest extends Showing {
  readonly event: string
  readonly key: string | undefined
  readonly limit?: number | undefined
  readonly onItem: (item: LiveItem) => Effect.Effect<void>
}

export interface HistoryRequest extends Showing {
  readonly event: string
  readonly key: string | undefined
  readonly limit: number
}

type LiveFailure = BrokerError | RequestInvalid | RightsMissing

export interface LiveOperations {
  readonly tail: (request: TailRequest) => Effect.Effect<typeof LiveReports.Tail.Type, LiveFailure>
  readonly last: (
    event: string,
    keys: ReadonlyArray<string>,
    showing: Showing
  ) => Effect.Effect<typeof LiveReports.Last.Type, BrokerError | CacheError>
  readonly history: (
    request: HistoryRequest
  ) => Effect.Effect<typeof LiveReports.History.Type, BrokerError | CacheError>
  /** The last known event, and then each newer one. */
  readonly watch: (request: WatchRequest) => Effect.Effect<typeof LiveReports.Tail.Type, LiveFailure | CacheError>
}

export const make = (bus: OpenBus, cache: OpenCache, examiner: Examiner["Service"]): LiveOperations => {
  const store = Effect.flatMap(cache, (found) =>
    found === undefined ? Effect.fail(withoutStore) : Effect.succeed(found)
  )
  return {
    tail: (request) =>
      Effect.flatMap(patternOf(request.pattern), (matches) =>
        Effect.flatMap(bus, ({ broker }) => named(tail(broker, matches, request), examiner))
      ),
    last: (event, keys, showing) => Effect.flatMap(store, (open) => last(open, event, keys, showing)),
    history: (request) => Effect.flatMap(store, (open) => history(open, request)),
    watch: (request) =>
      Effect.andThen(
        patternOf(request.event),
        Effect.flatMap(Effect.all({ bus, store }, { concurrency: "unbounded" }), (both) =>
          named(watch(both.bus.broker, both.store, request), examiner)
        )
      )
  }
}

const withoutStore = new BrokerError({
  reason: new SettingsInvalid({
    setting: "EVENTBUS_REDIS_URL",
    problem: "it is not set, and without it each process remembers by itself",
    remedy: "Set it as the service has it: redis://host:6379, or rediss:// with TLS"
  })
})

/** RabbitMQ names the first right that is missing; whoever asks for them wants all. */
export const named = <A, E>(
  work: Effect.Effect<A, E | BrokerError>,
  examiner: Examiner["Service"]
): Effect.Effect<A, E | BrokerError | RightsMissing> =>
  Effect.catchIf(
    work,
    (error): error is BrokerError & E => error instanceof BrokerError && error.reason._tag === "Permission",
    (error) =>
      Effect.flatMap(examiner.rightsToWatch, ({ mend, missing }) =>
        Effect.fail(missing.length === 0 ? error : new RightsMissing({ missing, mend }))
      )
  )

const tail = Effect.fnUntraced(function* (
  broker: Broker["Service"],
  matches: (name: string) => boolean,
  { limit, onItem, pattern, ...showing }: TailRequest
) {
  const counts = { events: 0, gaps: 0 }
  yield* Stream.runForEachWhile(feed(broker, { patterns: [pattern] }), (item) => {
    if (item._tag === "Begun") return Effect.as(onItem({ kind: "tail.begun", version: 1, pattern }), true)
    if (item._tag === "Gap") return Effect.as(writeGap(counts, onItem), true)
    const { delivery } = item
    // Events of the runtime are shown to those who ask for them by name.
    if (!matches(delivery.routingKey)) return Effect.succeed(true)
    counts.events++
    const seen = seenOf({ ...delivery, name: delivery.routingKey }, showing)
    return Effect.as(onItem({ kind: "event", version: 1, ...seen }), limit === undefined || counts.events < limit)
  })
  return { kind: "tail" as const, version: 1 as const, pattern, ...counts }
})

const writeGap = (counts: { gaps: number }, onItem: (item: LiveItem) => Effect.Effect<void>) =>
  Effect.clockWith((clock) => {
    counts.gaps++
    return onItem({ kind: "tail.gap", version: 1, at: new Date(clock.currentTimeMillisUnsafe()).toISOString() })
  })

const patternOf = (pattern: string): Effect.Effect<(name: string) => boolean, RequestInvalid> =>
  Effect.try({
    try: () => {
      checkPattern(pattern)
      return matcher(pattern)
    },
    catch: (error) => new RequestInvalid({ problem: error instanceof Error ? error.message : "the pattern is wrong" })
  })

const rememberedOf = (event: string, { body }: Remembered, showing: Showing): Seen =>
  seenOf({ body, name: event }, showing)

const last = Effect.fnUntraced(function* (
  store: CacheStore["Service"],
  event: string,
  keys: ReadonlyArray<string>,
  showing: Showing
) {
  const asked = keys.length === 0 ? [""] : keys
  const found = yield* store.lastMany(event, asked)
  return {
    kind: "last" as const,
    version: 1 as const,
    event,
    found: asked.map((key, at) => {
      const one = found[at]
      return { key: key === "" ? null : key, seen: one === undefined ? null : rememberedOf(event, one, showing) }
    })
  }
})

const history = Effect.fnUntraced(function* (
  store: CacheStore["Service"],
  { event, key, limit, ...showing }: HistoryRequest
) {
  const found = yield* store.history(event, { key, limit })
  return {
    kind: "history" as const,
    version: 1 as const,
    event,
    key: key ?? null,
    events: found.map((one) => rememberedOf(event, one, showing))
  }
})

const watch = Effect.fnUntraced(function* (
  broker: Broker["Service"],
  store: CacheStore["Service"],
  { event, key, limit, onItem, ...showing }: WatchRequest
) {
  const counts = { events: 0, gaps: 0 }
  const watched = new Watched()
  /** Returns whether to go on. */
  const pass = (seen: Seen) =>
    Effect.suspend(() => {
      if ((key !== undefined && seen.key !== key) || !watched.isNewer(seen)) return Effect.succeed(true)
      counts.events++
      return Effect.as(onItem({ kind: "event", version: 1, ...seen }), limit === undefined || counts.events < limit)
    })
  const readLast = Effect.flatMap(store.last(event, key ?? ""), (found) =>
    Option.isSome(found) ? pass(rememberedOf(event, found.value, showing)) : Effect.succeed(true)
  )
  yield* Stream.runForEachWhile(feed(broker, { patterns: [event] }), (item): Effect.Effect<boolean, CacheError> => {
    if (item._tag === "Message") return pass(seenOf({ ...item.delivery, name: item.delivery.routingKey }, showing))
    // What was published before, or meanwhile, is what Redis remembers; a live event may be here again then.
    return item._tag === "Begun"
      ? Effect.andThen(onItem({ kind: "tail.begun", version: 1, pattern: event }), readLast)
      : Effect.andThen(
          writeGap(counts, onItem),
          Effect.catch(readLast, () => Effect.succeed(true))
        )
  })
  return { kind: "tail" as const, version: 1 as const, pattern: event, ...counts }
})
