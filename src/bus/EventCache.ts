/**
 * What is remembered of events: the last known one per event and key, and a bounded history. The
 * cache is advisory. Writing never fails, waits or delays a publish (P4); reading answers within its
 * deadline or fails with a `CacheError` that says why.
 *
 * Bodies are kept as they were published and decoded by the contract that asks, so that what an older
 * version wrote reads as the newest one.
 */
import { Context, Effect, Option, Result, Stream } from "effect"
import * as Codec from "../event/Codec.ts"
import type * as Envelope from "../event/Envelope.ts"
import type * as Event from "../event/Event.ts"
import * as Limits from "../event/Limits.ts"
import * as CacheReads from "../observe/CacheReads.ts"
import { CacheCorrupt, CacheError } from "./CacheError.ts"
import { type CacheStore, defaultHistory, type HistoryRange, type Position, type Remembered } from "./CacheStore.ts"

export { CacheCorrupt, CacheError, CacheRefused, CacheUnavailable } from "./CacheError.ts"
export type { CacheEntry, CacheStore } from "./CacheStore.ts"

export interface HistoryOptions {
  /** The history of this key alone; the contract asks for it with `perKey`. Default: of all keys. */
  readonly key?: string
  /** At most so many, newest first. Default 100. */
  readonly limit?: number
  /** Only events that happened before this time. */
  readonly before?: Date
  /** Only events that happened after this time. */
  readonly after?: Date
}

export interface HistoryStreamOptions extends Omit<HistoryOptions, "limit"> {
  /** Events read at once. Default 100. */
  readonly pageSize?: number
}

export class EventCache extends Context.Service<
  EventCache,
  {
    /**
     * The last known event, of `key` if the event has keys. Fails with a `CacheError` within the
     * command deadline (150 ms); without Redis it answers what this process knows itself, if it does.
     *
     * @example
     * ```ts
     * import { Event, EventCache } from "@eduflow/events"
     * import { Effect, Schema } from "effect"
     *
     * declare const GradePosted: Event.Event<"academic.grade.posted", { readonly grade: number }>
     * export const lastGrade = Effect.gen(function*() {
     *   const cache = yield* EventCache
     *   return yield* cache.last(GradePosted, "s-1")
     * })
     * ```
     */
    readonly last: <Name extends string, A>(
      event: Event.Event<Name, A>,
      key?: string
    ) => Effect.Effect<Option.Option<Envelope.Envelope<Name, A>>, CacheError>
    /** The last known events of these keys, by key, in one round trip; what is not known is not in it. */
    readonly lastMany: <Name extends string, A>(
      event: Event.Event<Name, A>,
      keys: Iterable<string>
    ) => Effect.Effect<ReadonlyMap<string, Envelope.Envelope<Name, A>>, CacheError>
    /** Past events, newest first. */
    readonly history: <Name extends string, A>(
      event: Event.Event<Name, A>,
      options?: HistoryOptions
    ) => Effect.Effect<ReadonlyArray<Envelope.Envelope<Name, A>>, CacheError>
    /** The whole history, newest first, page by page as it is consumed; what is published meanwhile is not in it. */
    readonly historyStream: <Name extends string, A>(
      event: Event.Event<Name, A>,
      options?: HistoryStreamOptions
    ) => Stream.Stream<Envelope.Envelope<Name, A>, CacheError>
    readonly store: CacheStore
  }
>()("@eduflow/events/bus/EventCache") {
  /** The service over a store. */
  static fromStore(store: CacheStore): EventCache["Service"] {
    const page = (event: Event.Any, range: HistoryRange) =>
      CacheReads.counted(store.history(event.name, range), (found) => found.length > 0)
    return EventCache.of({
      store,
      last: (event, key = "") =>
        Effect.flatMap(CacheReads.counted(store.last(event.name, key), Option.isSome), (found) =>
          Option.isNone(found) ? Effect.succeedNone : Effect.asSome(decode(event, found.value))
        ),
      lastMany: (event, keys) =>
        Effect.suspend(() => {
          const asked = [...new Set(keys)]
          return Effect.flatMap(
            CacheReads.counted(store.lastMany(event.name, asked), (found) => found.some((one) => one !== undefined)),
            (found) => decodeMany(event, asked, found)
          )
        }),
      history: (event, { limit = defaultHistory, ...options } = {}) =>
        Effect.flatMap(page(event, { ...rangeOf(options), limit }), (found) =>
          Effect.forEach(found, (one) => decode(event, one))
        ),
      historyStream: (event, { pageSize = defaultHistory, ...options } = {}) => {
        const range = rangeOf(options)
        const limit = Number.isFinite(pageSize) ? Math.max(1, Math.floor(pageSize)) : defaultHistory
        return Stream.paginate<Position | undefined, Remembered, CacheError>(range.before, (before) =>
          Effect.map(page(event, { ...range, before, limit }), (found) => {
            const oldest = found[found.length - 1]
            return [found, oldest === undefined || found.length < limit ? Option.none() : Option.some(oldest)]
          })
        ).pipe(Stream.mapEffect((one) => decode(event, one)))
      }
    })
  }
}

const rangeOf = ({ after, before, key }: Omit<HistoryOptions, "limit">): Omit<HistoryRange, "limit"> => ({
  key,
  before: before === undefined ? undefined : { time: before.getTime() },
  after: after?.getTime()
})

const decodeMany = Effect.fnUntraced(function* <Name extends string, A>(
  event: Event.Event<Name, A>,
  keys: ReadonlyArray<string>,
  found: ReadonlyArray<Remembered | undefined>
) {
  const known = new Map<string, Envelope.Envelope<Name, A>>()
  for (const [i, key] of keys.entries()) {
    const one = found[i]
    if (one !== undefined) known.set(key, yield* decode(event, one))
  }
  return known
})

/** The event in a body, by the contract that asks. */
export const decode = <Name extends string, A>(
  event: Event.Event<Name, A>,
  { body }: Pick<Remembered, "body">
): Effect.Effect<Envelope.Envelope<Name, A>, CacheError> => {
  const parsed = Codec.parse(body, Limits.defaults)
  const decoded = Result.isFailure(parsed) ? Result.fail(parsed.failure) : Codec.decode(parsed.success, event)
  return Result.isFailure(decoded)
    ? Effect.fail(new CacheError({ reason: new CacheCorrupt({ event: event.name, detail: decoded.failure.message }) }))
    : // The contract of this event made the data of it.
      Effect.succeed(decoded.success as Envelope.Envelope<Name, A>)
}
