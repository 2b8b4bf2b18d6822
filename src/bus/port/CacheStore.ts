/**
 * PORT: the store of last known events. An adapter (Redis, memory) implements it and passes the conformance suite for
 * cache stores.
 *
 * Everything in it has one order: by time, then by the bytes of the id. A time more than 5 seconds ahead of the
 * store's clock counts as now, so that one clock that runs ahead does not freeze a key.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type { Body } from "../../event/Body.ts"
import type * as Event from "../../event/Event.ts"
import type { CacheError } from "./CacheError.ts"

/** One event to remember. */
export interface CacheEntry {
  readonly event: string
  /** Empty for events without a key. */
  readonly key: string
  readonly id: string
  /** When it happened, in milliseconds since the epoch. */
  readonly time: number
  readonly body: Body
  readonly settings: Event.CachePolicy
}

/** A place in the order. Without an id it is before everything of its time. */
export interface Position {
  readonly time: number
  readonly id?: string
}

/** A remembered event. */
export interface Remembered {
  /** Milliseconds since the epoch. The order is by this time. */
  readonly time: number
  readonly id: string
  /** As it was published. */
  readonly body: Body
}

export interface HistoryRange {
  /** Without a key the history of the event over all keys. */
  readonly key: string | undefined
  readonly limit: number
  /** Only events older than this place. */
  readonly before?: Position | undefined
  /** Only events after this time, in milliseconds since the epoch. */
  readonly after?: number | undefined
}

export class CacheStore extends Context.Service<
  CacheStore,
  {
    /** Takes the entry and returns at once. Never throws. The same event again changes nothing. */
    readonly write: (entry: CacheEntry) => void
    readonly last: (event: string, key: string) => Effect.Effect<Option.Option<Remembered>, CacheError>
    /** In one round trip, in the order of the keys; undefined for a key without an event. */
    readonly lastMany: (
      event: string,
      keys: ReadonlyArray<string>
    ) => Effect.Effect<ReadonlyArray<Remembered | undefined>, CacheError>
    /** Newest first. */
    readonly history: (event: string, range: HistoryRange) => Effect.Effect<ReadonlyArray<Remembered>, CacheError>
    /** The entries that wait to be written and that were dropped, for a store that writes behind. */
    readonly stats?: () => { readonly buffered: number; readonly dropped: number }
    readonly probe: Effect.Effect<{ readonly status: "up" | "degraded" | "down"; readonly detail: string }>
  }
>()("@eduflow/events/bus/CacheStore") {}
