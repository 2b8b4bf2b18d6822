/**
 * Live events as a stream, over an ephemeral subscriber of this process. A slow reader loses the oldest events; an
 * item marks each place where events may be missing.
 */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as Envelope from "../../event/Envelope.ts"
import type * as Event from "../../event/Event.ts"
import * as Kinds from "../../event/options/OptionKinds.ts"
import { SubscribeError, SubscriberInvalid } from "../subscriber/SubscribeError.ts"
import type { Events, GapOptions, SubscriberOptions } from "../subscriber/SubscriberOptions.ts"

export interface StreamOptions {
  /** Events held for a slow reader; beyond that the oldest are dropped. Default 256. */
  readonly buffer?: number
}

/** One item of a live stream. */
export type StreamItem<E extends Event.Any> =
  | { readonly _tag: "Event"; readonly event: Envelope.Of<E> }
  /** The connection was lost or the reader too slow: events may be missing here. */
  | { readonly _tag: "Gap" }

/** Starts an ephemeral subscriber. */
export type StartEphemeral = <E extends Event.Any>(
  options: SubscriberOptions<E, never, never> & GapOptions
) => Effect.Effect<unknown, SubscribeError, Scope.Scope>

const kinds: Kinds.Kinds = { buffer: Kinds.count } satisfies Kinds.KindsOf<StreamOptions>

export const make =
  (startEphemeral: StartEphemeral) =>
  <E extends Event.Any>(
    events: Events<E>,
    options: StreamOptions = {}
  ): Stream.Stream<StreamItem<E>, SubscribeError> => {
    const fault = Kinds.faultOf(options, kinds)
    if (fault !== undefined) {
      return Stream.fail(new SubscribeError({ subscriber: "stream", reason: new SubscriberInvalid(fault) }))
    }
    return Stream.callback<StreamItem<E>, SubscribeError>(
      (queue) =>
        startEphemeral<E>({
          events,
          ordering: "none",
          concurrency: 1,
          handler: (event) =>
            Effect.sync(() => {
              if (Queue.isFullUnsafe(queue)) Queue.offerUnsafe(queue, { _tag: "Gap" })
              Queue.offerUnsafe(queue, { _tag: "Event", event })
            }),
          onGap: () => void Queue.offerUnsafe(queue, { _tag: "Gap" })
        }).pipe(Effect.andThen(Effect.never)),
      { bufferSize: options.buffer ?? 256, strategy: "sliding" }
    )
  }
