/**
 * What a bus remembers and shows, with Promises: last known events, histories and live events.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { EventBus } from "../../bus/EventBus.ts"
import type { BusFailure } from "../../bus/delivery/FailureFeed.ts"
import { EventCache } from "../../bus/read/EventCache.ts"
import type { Events } from "../../bus/subscriber/SubscriberOptions.ts"
import type * as Envelope from "../../event/Envelope.ts"
import type * as Event from "../../event/Event.ts"
import { Health } from "../../observe/Health.ts"
import type { PromiseRun } from "./PromiseRun.ts"

export interface PromiseRead {
  /** The last known event, of `key` if the event has keys. Rejects with a `CacheError` within 150 ms. */
  readonly last: <Name extends string, A>(
    event: Event.Event<Name, A, unknown>,
    key?: string
  ) => Promise<Envelope.Envelope<Name, A> | undefined>
  /** The last known events of these keys, by key, in one round trip. Unknown keys are absent. */
  readonly lastMany: <Name extends string, A>(
    event: Event.Event<Name, A, unknown>,
    keys: Iterable<string>
  ) => Promise<ReadonlyMap<string, Envelope.Envelope<Name, A>>>
  /** Past events, newest first. */
  readonly history: <Name extends string, A>(
    event: Event.Event<Name, A, unknown>,
    options?: EventCache.HistoryOptions
  ) => Promise<ReadonlyArray<Envelope.Envelope<Name, A>>>
  /** The whole history, newest first, read page by page while it is iterated. */
  readonly historyStream: <Name extends string, A>(
    event: Event.Event<Name, A, unknown>,
    options?: EventCache.HistoryStreamOptions
  ) => AsyncIterable<Envelope.Envelope<Name, A>>
  /**
   * Live events of this process, from the first `next()` on. A `Gap` says that events may be missing: the reader was
   * too slow, or the connection was lost.
   *
   * @example
   * ```ts
   * import { Event, type PromiseEventBus } from "@eduflow/events"
   *
   * declare const GradePosted: Event.Event<"academic.grade.posted", { readonly grade: number }>
   *
   * export const firstGrade = async (bus: PromiseEventBus) => {
   *   for await (const item of bus.stream([GradePosted])) {
   *     if (item._tag === "Event") return item.event.data.grade
   *   }
   *   return undefined
   * }
   * ```
   */
  readonly stream: <E extends Event.Any>(
    events: Events<E>,
    options?: EventBus.StreamOptions
  ) => AsyncIterable<EventBus.StreamItem<E>>
  /** The last known event of a key and then each newer one: none comes twice, and none is older than the one before. */
  readonly watch: <Name extends string, A>(
    event: Event.Event<Name, A, unknown>,
    key?: string
  ) => AsyncIterable<Envelope.Envelope<Name, A>>
  /** Retries and dead-letterings of this process, live. A slow reader misses some. */
  readonly failures: () => AsyncIterable<BusFailure>
  /** Everything that runs in this process at this moment, as data. */
  readonly tree: () => Promise<EventBus.Tree>
  /** Runs every probe. */
  readonly health: () => Promise<Health.Report>
  /** Whether work may be sent here: the critical checks have been fine for a while. */
  readonly ready: () => Promise<boolean>
}

export const make = ({ iterate, run }: PromiseRun): PromiseRead => {
  const bus = <A, E, R>(use: (bus: EventBus["Service"]) => Effect.Effect<A, E, R>) => Effect.flatMap(EventBus, use)
  const cache = <A, E, R>(use: (cache: EventCache["Service"]) => Effect.Effect<A, E, R>) =>
    Effect.flatMap(EventCache, use)
  const live = <A, E>(use: (bus: EventBus["Service"]) => Stream.Stream<A, E>) =>
    iterate(Stream.unwrap(Effect.map(EventBus, use)))
  return {
    last: async (event, key) => Option.getOrUndefined(await run(cache((cache) => cache.last(event, key)))),
    lastMany: (event, keys) => run(cache((cache) => cache.lastMany(event, keys))),
    history: (event, options) => run(cache((cache) => cache.history(event, options))),
    historyStream: (event, options) =>
      iterate(Stream.unwrap(Effect.map(EventCache, (cache) => cache.historyStream(event, options)))),
    stream: (events, options) => live((bus) => bus.stream(events, options)),
    watch: (event, key) => live((bus) => bus.watch(event, key)),
    failures: () => live((bus) => bus.failures),
    tree: () => run(bus((bus) => bus.tree)),
    health: () => run(Effect.flatMap(Health, (health) => health.report)),
    ready: () => run(Effect.flatMap(Health, (health) => health.ready))
  }
}
