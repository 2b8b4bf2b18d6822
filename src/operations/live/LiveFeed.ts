/**
 * Messages as they come, over a queue of this process alone that ends with it. Each is acknowledged at once, so that a slow
 * reader leaves nothing on the broker: he misses the oldest, and a gap says where.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import type { Broker, DeadLetterSource, Delivery } from "../../bus/port/Broker.ts"
import type { BrokerError } from "../../bus/port/BrokerError.ts"
import * as Backoff from "../../bus/support/Backoff.ts"

export type FeedItem =
  /** From here on messages are seen. */
  | { readonly _tag: "Begun" }
  | { readonly _tag: "Message"; readonly delivery: Delivery }
  /** Messages may be missing here. */
  | { readonly _tag: "Gap" }

export interface Feed {
  readonly patterns: ReadonlyArray<string>
  /** Also copies of what comes into these dead-letter queues. */
  readonly letters?: ReadonlyArray<DeadLetterSource>
}

const bufferSize = 1024
const prefetch = 256
const reconnecting: Backoff.Backoff = { baseMillis: 200, capMillis: 5000, jitter: "equal" }

/** It goes on after a lost connection, and fails where it cannot begin. */
export const feed = (
  broker: Broker["Service"],
  { letters = [], patterns }: Feed
): Stream.Stream<FeedItem, BrokerError> =>
  Stream.callback<FeedItem, BrokerError>(
    (queue) => {
      const offer = (item: FeedItem): void => {
        if (Queue.isFullUnsafe(queue)) Queue.offerUnsafe(queue, { _tag: "Gap" })
        Queue.offerUnsafe(queue, item)
      }
      /** Until the consumer is lost. */
      const consume = (onBegun: () => void) =>
        Effect.gen(function* () {
          const lost = yield* Deferred.make<void>()
          yield* broker.consumeEphemeral({
            patterns,
            letters,
            prefetch,
            onDelivery: (delivery) => {
              offer({ _tag: "Message", delivery })
              delivery.ack()
            },
            onLost: () => Deferred.doneUnsafe(lost, Exit.void)
          })
          onBegun()
          yield* Deferred.await(lost)
        }).pipe(Effect.scoped)
      return Effect.gen(function* () {
        yield* consume(() => offer({ _tag: "Begun" }))
        for (let losses = 0; ; losses++) {
          yield* Backoff.wait(reconnecting, losses)
          yield* Effect.catchIf(
            consume(() => {
              losses = 0
              offer({ _tag: "Gap" })
            }),
            ({ isRetryable }) => isRetryable,
            () => Effect.void
          )
        }
      })
    },
    { bufferSize, strategy: "sliding" }
  )
