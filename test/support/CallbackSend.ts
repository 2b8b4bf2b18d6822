/** `Broker.send` with a callback for the outcome, for tests that observe or change messages. */
import { type Broker, inFlight, type Outgoing, type SendOutcome } from "../../src/bus/port/Broker.ts"

export type CallbackSend = (message: Outgoing, done: (outcome: SendOutcome) => void) => void

export const fromCallback =
  (send: CallbackSend): Broker["Service"]["send"] =>
  (sent) =>
    send(sent.message, (outcome) => sent.answered(outcome))

export const toCallback =
  (send: Broker["Service"]["send"]): CallbackSend =>
  (message, done) =>
    send(inFlight(message, done))
