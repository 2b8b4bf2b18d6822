/**
 * The last known event per event and key, and a bounded history. The cache is advisory: writing to it never fails,
 * blocks or delays a publish; a read answers within its deadline or fails with a `CacheError` that says why.
 *
 * Bodies are kept as they were published and decoded by the contract that reads them, so that events of an older
 * version read as the newest one.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { CacheStore } from "../port/CacheStore.ts"
import type * as EventReads from "./EventReads.ts"

export class EventCache extends Context.Service<EventCache, EventReads.EventReads>()("@eduflow/events/bus/EventCache") {
  /** The service over the store of an adapter. */
  static readonly layer: Layer.Layer<EventCache, never, CacheStore> = Layer.effect(
    EventCache,
    Effect.flatMap(
      Effect.promise(() => import("./CacheReader.ts")),
      (reader) =>
        Effect.map(
          Effect.suspend(() => CacheStore),
          reader.make
        )
    )
  )
}

export declare namespace EventCache {
  export type HistoryOptions = EventReads.HistoryOptions
  export type HistoryStreamOptions = EventReads.HistoryStreamOptions
}
