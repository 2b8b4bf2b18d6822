/** Asks the active process of a subscriber to run a parked key now, by way of the subscriber's own queue. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as ControlMessage from "../../bus/delivery/ControlMessage.ts"
import { controlMessage } from "../../bus/delivery/Copies.ts"
import { type Broker, inFlight, type SendOutcome } from "../../bus/port/Broker.ts"
import type { BrokerError } from "../../bus/port/BrokerError.ts"
import { unknown } from "../../bus/port/SendOutcome.ts"
import { PublishError } from "../../bus/send/PublishError.ts"
import { CurrentIds } from "../../bus/support/EventIds.ts"

/** A broker with an alarm confirms nothing until it is over. */
const patience = "15 seconds"

export const sendRelease = Effect.fnUntraced(function* (
  broker: Broker["Service"],
  subscriber: string,
  key: string | undefined
): Effect.fn.Return<void, BrokerError | PublishError> {
  const now = (yield* Clock.Clock).currentTimeMillisUnsafe()
  const id = (yield* CurrentIds).next(now)
  const copy = ControlMessage.write({ _tag: "Release", id, key }, subscriber, now)
  const message = { ...controlMessage(copy, subscriber, now), headers: copy.headers }
  const outcome = yield* Effect.callback<SendOutcome>((resume) => {
    broker.send(inFlight(message, (outcome) => resume(Effect.succeed(outcome))))
  }).pipe(Effect.timeoutOrElse({ duration: patience, orElse: () => Effect.succeed<SendOutcome>(unknown) }))
  if (outcome._tag === "NotSent") return yield* outcome.error
  if (outcome._tag !== "Confirmed") return yield* new PublishError({ event: copy.type, id, reason: outcome })
})
