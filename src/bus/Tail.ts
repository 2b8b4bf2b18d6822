/**
 * Live events of this process as a stream, over an ephemeral subscriber: from now on, sliding when its
 * reader is slow, and with a mark where events may be missing.
 */
import { Effect, Queue, type Scope, Stream } from "effect"
import type * as Envelope from "../event/Envelope.ts"
import type * as Event from "../event/Event.ts"
import type { SubscribeError } from "./BusError.ts"
import type { Events, SubscriberOptions } from "./SubscriberOptions.ts"

export interface StreamOptions {
  /** Events held for a slow reader; beyond that the oldest are dropped. Default 256. */
  readonly buffer?: number
}

/** What a live stream of events brings. */
export type Tail<E extends Event.Any> =
  | { readonly _tag: "Event"; readonly event: Envelope.Of<E> }
  /** The connection was lost or the reader too slow: events may be missing here. */
  | { readonly _tag: "Gap" }

/** Begins an ephemeral subscriber. */
export type Begin = <E extends Event.Any>(
  options: SubscriberOptions<E, never, never>,
  onGap: () => void
) => Effect.Effect<unknown, SubscribeError, Scope.Scope>

export const make =
  (begin: Begin) =>
  <E extends Event.Any>(events: Events<E>, options: StreamOptions = {}): Stream.Stream<Tail<E>, SubscribeError> =>
    Stream.callback<Tail<E>, SubscribeError>(
      (queue) =>
        begin(
          {
            events,
            ordering: "none",
            concurrency: 1,
            handler: (event) =>
              Effect.sync(() => {
                if (Queue.isFullUnsafe(queue)) Queue.offerUnsafe(queue, { _tag: "Gap" })
                Queue.offerUnsafe(queue, { _tag: "Event", event })
              })
          },
          () => Queue.offerUnsafe(queue, { _tag: "Gap" })
        ).pipe(Effect.andThen(Effect.never)),
      { bufferSize: options.buffer ?? 256, strategy: "sliding" }
    )
