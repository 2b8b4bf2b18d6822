/**
 * What is remembered of events: the last known one per event and key, and a bounded history. The
 * cache is advisory. Writing never fails, waits or delays a publish (P4); reading answers within its
 * deadline or fails with a `CacheError` that says why.
 *
 * `EventCache` is what users ask; `CacheStore` is the PORT that an adapter (Redis, memory)
 * implements, proven by `test/suites/CacheSuite.ts`.
 */
import { Context, Effect, Option, Result, Schema } from "effect"
import * as Codec from "../event/Codec.ts"
import type * as Envelope from "../event/Envelope.ts"
import type * as Event from "../event/Event.ts"
import * as Limits from "../event/Limits.ts"

/** The store cannot be reached or did not answer in time. Heals by itself. */
export class CacheUnavailable extends Schema.TaggedClass<CacheUnavailable>()("Unavailable", { detail: Schema.String }) {
  readonly isRetryable = true
  get message(): string {
    return `the cache does not answer (${this.detail}); publishing and handling go on without it`
  }
}

/** The store refuses: credentials, permissions, memory, a replica that is read only. */
export class CacheRefused extends Schema.TaggedClass<CacheRefused>()("Refused", {
  code: Schema.String,
  remedy: Schema.String
}) {
  readonly isRetryable = false
  get message(): string {
    return `the cache refuses (${this.code}): ${this.remedy}`
  }
}

/** What was remembered cannot be decoded by the contract that asks. */
export class CacheCorrupt extends Schema.TaggedClass<CacheCorrupt>()("Corrupt", {
  event: Schema.String,
  detail: Schema.String
}) {
  readonly isRetryable = false
  get message(): string {
    return `what the cache remembers of "${this.event}" does not fit its contract: ${this.detail}; give the contract its older version as \`previous\`, or publish the event again`
  }
}

export class CacheError extends Schema.TaggedError<CacheError>()("CacheError", {
  reason: Schema.Union([CacheUnavailable, CacheRefused, CacheCorrupt])
}) {
  get isRetryable(): boolean {
    return this.reason.isRetryable
  }
  override get message(): string {
    return this.reason.message
  }
}

/** One event to remember. */
export interface CacheEntry {
  readonly event: string
  /** Empty for events without a key. */
  readonly key: string
  readonly id: string
  /** Milliseconds since the epoch; order is by time, then id: an older event never overwrites. */
  readonly time: number
  readonly body: Buffer
  readonly settings: Event.CacheSettings
}

export interface HistoryOptions {
  readonly key?: string
  /** At most so many, newest first. Default 100. */
  readonly limit?: number
}

/** PORT. Bodies go in and come out as they were published. */
export interface CacheStore {
  /** Takes it and returns at once; never throws. */
  readonly write: (entry: CacheEntry) => void
  readonly last: (event: string, key: string) => Effect.Effect<Option.Option<Buffer>, CacheError>
  /** Newest first. Without a key the history of the event over all keys. */
  readonly history: (
    event: string,
    options: { readonly key: string | undefined; readonly limit: number }
  ) => Effect.Effect<ReadonlyArray<Buffer>, CacheError>
  readonly probe: Effect.Effect<{ readonly status: "up" | "degraded" | "down"; readonly detail: string }>
}

/** How many events a history holds where the contract does not say. */
export const defaultHistory = 100

export class EventCache extends Context.Service<
  EventCache,
  {
    /**
     * The last known event, of `key` if the event has keys.
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
    /** Past events, newest first. */
    readonly history: <Name extends string, A>(
      event: Event.Event<Name, A>,
      options?: HistoryOptions
    ) => Effect.Effect<ReadonlyArray<Envelope.Envelope<Name, A>>, CacheError>
    readonly store: CacheStore
  }
>()("@eduflow/events/bus/EventCache") {
  /** The service over a store. */
  static fromStore(store: CacheStore): EventCache["Service"] {
    return EventCache.of({
      store,
      last: (event, key = "") =>
        Effect.flatMap(store.last(event.name, key), (body) =>
          Option.isNone(body) ? Effect.succeedNone : Effect.asSome(decode(event, body.value))
        ),
      history: (event, options = {}) =>
        Effect.flatMap(
          store.history(event.name, { key: options.key, limit: options.limit ?? defaultHistory }),
          (bodies) => Effect.forEach(bodies, (body) => decode(event, body))
        )
    })
  }
}

const decode = <Name extends string, A>(
  event: Event.Event<Name, A>,
  body: Buffer
): Effect.Effect<Envelope.Envelope<Name, A>, CacheError> => {
  const parsed = Codec.parse(body, Limits.defaults)
  const decoded = Result.isFailure(parsed) ? Result.fail(parsed.failure) : Codec.decode(parsed.success, event)
  return Result.isFailure(decoded)
    ? Effect.fail(new CacheError({ reason: new CacheCorrupt({ event: event.name, detail: decoded.failure.message }) }))
    : // The contract of this event made the data of it.
      Effect.succeed(decoded.success as Envelope.Envelope<Name, A>)
}
