/** Messages that go past the bus, as another program could send them. */
import * as Effect from "effect/Effect"
import { type Broker, type Headers, inFlight, type Outgoing, type SendOutcome } from "../../../bus/port/Broker.ts"

let sent = 0

export const sendRaw = (
  broker: Broker["Service"],
  event: string,
  body: Buffer | string,
  headers: Readonly<Record<string, unknown>> = {},
  properties: Partial<Outgoing["properties"]> = {}
): Effect.Effect<SendOutcome> =>
  send(broker, {
    to: { _tag: "Event", name: event },
    key: undefined,
    body: Buffer.from(body),
    properties: {
      messageId: `raw-${++sent}`,
      type: event,
      timestamp: Date.now(),
      appId: "foreign",
      contentType: "application/json",
      ...properties
    },
    // Another program may write any header.
    headers: headers as Headers
  })

/** Sends one message on the port, and returns its outcome. */
export const send = (broker: Broker["Service"], message: Outgoing): Effect.Effect<SendOutcome> =>
  Effect.callback((resume) => broker.send(inFlight(message, (outcome) => resume(Effect.succeed(outcome)))))
