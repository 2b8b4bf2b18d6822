/** A queue of one process: gone with its connection, or with its consumer. */
import type { Channel } from "amqplib"
import * as Effect from "effect/Effect"
import { randomUUID } from "node:crypto"
import type { BrokerError } from "../../bus/port/BrokerError.ts"
import type { Call } from "../connection/Call.ts"

/** Declares a queue and binds it to these exchanges by these patterns; returns its name. */
export const declare = Effect.fnUntraced(function* (
  channel: Channel,
  call: Call,
  namespace: string,
  bindings: ReadonlyArray<{ readonly exchange: string; readonly pattern: string }>
): Effect.fn.Return<string, BrokerError> {
  const queue = `${namespace}.tmp.${randomUUID()}`
  const entity = `queue ${queue}`
  yield* call("declaring", entity, () =>
    channel.assertQueue(queue, {
      exclusive: true,
      autoDelete: true,
      durable: false,
      arguments: { "x-queue-type": "classic" }
    })
  )
  for (const { exchange, pattern } of bindings)
    yield* call("binding", entity, () => channel.bindQueue(queue, exchange, pattern))
  return queue
})
