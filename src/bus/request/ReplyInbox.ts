/**
 * The queue of a process for the answers to its requests. It ends with its connection, and there is a new one with the same
 * address soon: repliers send an answer again that reached nobody.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Result from "effect/Result"
import * as Limits from "../../event/Limits.ts"
import * as WireFormat from "../../event/WireFormat.ts"
import * as Monotonic from "../../observe/Monotonic.ts"
import type { Broker, Delivery } from "../port/Broker.ts"
import type { BrokerError } from "../port/BrokerError.ts"
import * as Backoff from "../support/Backoff.ts"
import * as Reply from "./Reply.ts"

const prefetch = 250
const reopening: Backoff.Backoff = { baseMillis: 50, capMillis: 5_000, jitter: "full" }

export interface ReplyInbox {
  readonly address: string
  /** Completes when answers arrive. The first call opens the queue. */
  readonly ready: Effect.Effect<void>
  /** Why there was no queue of late. */
  readonly problem: () => string | undefined
}

/** The inbox ends with the current scope. `answered` is called with the id of the request. */
export const make = Effect.fnUntraced(function* (
  broker: Broker["Service"],
  answered: (request: string | undefined, answer: Reply.Answer) => void
) {
  const scope = yield* Effect.scope
  const monotonic = yield* Monotonic.make
  const address = Reply.newAddress()
  const isOpen = Latch.makeUnsafe(false)
  let problem: string | undefined
  let begun = false

  const onDelivery = (delivery: Delivery): void => {
    const { body, headers, properties } = delivery
    const parsed = WireFormat.parse(body, Limits.defaults, properties, headers)
    const reply = Result.flatMap(parsed, (event) =>
      WireFormat.decode(event, event.type === Reply.Reply.name ? Reply.Reply : undefined)
    )
    delivery.ack()
    // What is no answer comes from nobody of the library. The codec of `Reply` has decoded its data.
    if (Result.isSuccess(reply)) answered(reply.success.causationId, reply.success.data as Reply.Answer)
  }

  const session = Effect.gen(function* () {
    const lost = yield* Deferred.make<never, BrokerError>()
    yield* broker.consumeEphemeral({
      patterns: [Reply.routeOf(address)],
      prefetch,
      onDelivery,
      onLost: (error) => void Deferred.doneUnsafe(lost, Effect.fail(error))
    })
    problem = undefined
    yield* isOpen.open
    return yield* Deferred.await(lost)
  }).pipe(
    Effect.scoped,
    Effect.catch((error) => Effect.sync(() => (problem = error.message))),
    Effect.andThen(isOpen.close)
  )

  const sessions = Effect.gen(function* () {
    const streak = new Backoff.Streak(reopening)
    for (;;) {
      const began = monotonic()
      yield* session
      yield* Backoff.wait(reopening, streak.failedAfter(monotonic() - began))
    }
  })

  const ready = Effect.suspend(() => {
    if (begun) return isOpen.await
    begun = true
    return Effect.andThen(Effect.forkIn(sessions, scope), isOpen.await)
  })
  return { address, ready, problem: () => problem } satisfies ReplyInbox
})
