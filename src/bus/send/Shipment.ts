/**
 * A message in the outbox, from its submission to its outcome. A publish, the copy of a delivery and the copy of
 * a replayed dead letter each are a shipment: the one record of what is in flight, carried by the broker's
 * confirm and waiting for itself at the in-flight limit.
 */
import type { InFlightMessage, Outgoing, SendOutcome } from "../port/Broker.ts"
import type { BrokerReason } from "../port/BrokerReason.ts"
import type { Waiter } from "./InFlightLimit.ts"
import type { Outcome } from "./Outcome.ts"

/**
 * - `waiting`: at the in-flight limit, not sent
 * - `stalled`: to be sent again
 * - `sent`: the broker's answer is open
 * - `abandoned`: past its deadline while the answer is open; its room is held until the broker answers
 * - `done`: it has its outcome, or was withdrawn
 */
export type State = "waiting" | "stalled" | "sent" | "abandoned" | "done"

/** The outbox, as a shipment knows it. */
export interface Carrier {
  readonly admitted: (shipment: Shipment) => void
  readonly answered: (shipment: Shipment, outcome: SendOutcome) => void
  readonly withdraw: (shipment: Shipment) => void
}

export abstract class Shipment implements InFlightMessage, Waiter {
  readonly message: Outgoing
  readonly bytes: number
  /** Milliseconds since the epoch; Infinity waits for ever. */
  readonly deadline: number
  /** Whether reaching nobody is a failure. */
  readonly mandatory: boolean
  /** Whether it passes the in-flight limit while the bus drains. */
  readonly privileged: boolean
  state: State = "waiting"
  /** Its place in the order of submission. */
  sequence = 0
  /** Its publisher was interrupted; the outcome is still awaited. */
  withdrawn = false
  sends = 0
  /** An answer was lost: from here on the outcome is Confirmed or Unknown. */
  unresolved = false
  rejected = false
  /** Why it could not be sent the last time. */
  refusal: BrokerReason | undefined = undefined
  /** Its neighbours in the chain of all that is in flight. */
  before: Shipment | undefined = undefined
  after: Shipment | undefined = undefined
  private carrier: Carrier | undefined = undefined

  constructor(message: Outgoing, bytes: number, deadline: number, mandatory: boolean, privileged: boolean) {
    this.message = message
    this.bytes = bytes
    this.deadline = deadline
    this.mandatory = mandatory
    this.privileged = privileged
  }

  /** Called once, unless it is withdrawn before it was sent. */
  abstract finished(outcome: Outcome): void

  /** Whether it ends as soon as the broker rejects it, so that it holds no room while its owner waits. */
  get endsWhenRejected(): boolean {
    return false
  }

  /** Whether, once the broker has rejected it, those of its key are sent one at a time until none waits. */
  get keepsOrder(): boolean {
    return false
  }

  /** Whether it ends as soon as the broker denies it, instead of waiting for the right to be given. */
  get endsWhenDenied(): boolean {
    return false
  }

  /** What was not sent yet never will be. */
  withdraw(): void {
    this.carrier?.withdraw(this)
  }

  /** Called by the outbox that takes it. */
  submitted(carrier: Carrier, sequence: number): void {
    this.carrier = carrier
    this.sequence = sequence
  }

  admit(): void {
    this.carrier?.admitted(this)
  }

  answered(outcome: SendOutcome): void {
    this.carrier?.answered(this, outcome)
  }
}
