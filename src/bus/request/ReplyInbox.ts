/**
 * The queue of a process for the answers to its requests. It ends with its connection, and there is a new one with the same
 * address soon: repliers send an answer again that reached nobody.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Limits from "../../event/Limits.ts"
import * as WireFormat from "../../event/WireFormat.ts"
import type { Broker, Delivery } from "../port/Broker.ts"
import type { BrokerError } from "../port/BrokerError.ts"
import * as Backoff from "../support/Backoff.ts"
import * as Reply from "./Reply.ts"

const prefetch = 250
const reopening: Backoff.Backoff = { baseMillis: 50, capMillis: 5_000, jitter: "full" }

export interface ReplyInbox {
  readonly address: string
  /** Whether answers arrive. */
  readonly isOpen: () => boolean
  /** Opens the queue at the first call; it stays open, as far as the broker allows, until the scope ends. */
  readonly open: () => void
  /** Why there was no queue of late. */
  readonly problem: () => string | undefined
}

/** `answered` is called with the id of the request. */
export interface InboxParts {
  readonly broker: Broker["Service"]
  readonly answered: (request: string | undefined, answer: Reply.Answer) => void
  readonly onOpen: () => void
}

/** The inbox ends with the current scope. */
export const make = Effect.fnUntraced(function* ({ answered, broker, onOpen }: InboxParts) {
  const scope = yield* Effect.scope
  const context = yield* Effect.context<never>()
  const address = Reply.newAddress()
  let problem: string | undefined
  let begun = false
  let isOpen = false

  const onDelivery = (delivery: Delivery): void => {
    const { body, headers, properties } = delivery
    const parsed = WireFormat.parse(body, Limits.defaults, properties, headers)
    const reply = Result.flatMap(parsed, (event) =>
      WireFormat.decode(event, event.type === Reply.Reply.name ? Reply.Reply : undefined)
    )
    // What is no answer comes from nobody of the library. The codec of `Reply` has decoded its data.
    if (Result.isSuccess(reply)) answered(reply.success.causationId, reply.success.data as Reply.Answer)
  }

  const session = Effect.gen(function* () {
    const lost = yield* Deferred.make<never, BrokerError>()
    yield* broker.consumeEphemeral({
      patterns: [Reply.routeOf(address)],
      // What this process has not read when its connection ends is lost with the queue, acknowledged or not.
      isSettled: false,
      prefetch,
      onDelivery,
      onLost: (error) => void Deferred.doneUnsafe(lost, Effect.fail(error))
    })
    problem = undefined
    isOpen = true
    onOpen()
    return yield* Deferred.await(lost)
  }).pipe(
    Effect.scoped,
    Effect.catch((error) =>
      Effect.sync(() => {
        problem = error.message
        isOpen = false
      })
    )
  )

  const sessions = Backoff.restarting(reopening, session)

  const open = (): void => {
    if (begun) return
    begun = true
    Effect.runForkWith(context)(Effect.forkIn(sessions, scope))
  }
  return { address, isOpen: () => isOpen, open, problem: () => problem } satisfies ReplyInbox
})
