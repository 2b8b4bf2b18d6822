/**
 * What can be read of past events, and how.
 */
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type * as Stream from "effect/Stream"
import type * as Envelope from "../../event/Envelope.ts"
import type * as Event from "../../event/Event.ts"
import type { CacheError } from "../port/CacheError.ts"

export interface HistoryOptions {
  /** The history of this key alone, which the contract must enable with `perKey`. Default: of all keys. */
  readonly key?: string
  /** The largest number of events. Default 100. */
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

export interface EventReads {
  /**
   * Returns the last known event, of `key` if the event has keys. Fails with a `CacheError` within the command
   * deadline (150 ms). Without Redis it returns what this process remembers itself.
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
    event: Event.Event<Name, A, unknown>,
    key?: string
  ) => Effect.Effect<Option.Option<Envelope.Envelope<Name, A>>, CacheError>
  /** Returns the last known events of these keys in one round trip. A key without a known event is absent. */
  readonly lastMany: <Name extends string, A>(
    event: Event.Event<Name, A, unknown>,
    keys: Iterable<string>
  ) => Effect.Effect<ReadonlyMap<string, Envelope.Envelope<Name, A>>, CacheError>
  /** Returns past events, newest first. */
  readonly history: <Name extends string, A>(
    event: Event.Event<Name, A, unknown>,
    options?: HistoryOptions
  ) => Effect.Effect<ReadonlyArray<Envelope.Envelope<Name, A>>, CacheError>
  /** Streams the whole history, newest first, page by page. Events published meanwhile are not in it. */
  readonly historyStream: <Name extends string, A>(
    event: Event.Event<Name, A, unknown>,
    options?: HistoryStreamOptions
  ) => Stream.Stream<Envelope.Envelope<Name, A>, CacheError>
}
