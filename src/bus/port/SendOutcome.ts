/**
 * What became of one message: a single vocabulary from the adapter to the caller of `publish`. This file has
 * the outcomes that an adapter can report; `send/Outcome.ts` adds those that only the bus can know. An outcome
 * that is final is passed on as it is, so an adapter's `rejected` is the reason that the publisher receives.
 */
import { TaggedClass } from "../../event/Tagged.ts"
import type { BrokerError } from "./BrokerError.ts"

/** The broker holds it safely for every queue it was routed to. */
export interface Confirmed {
  readonly _tag: "Confirmed"
  /** Whether any queue was bound. */
  readonly routed: boolean
}

/** Nothing was sent. */
export interface NotSent {
  readonly _tag: "NotSent"
  readonly error: BrokerError
}

/** The broker refused to store it in at least one queue; others may have it. */
export class Rejected extends TaggedClass<Rejected>()("Rejected", () => ({})) {
  readonly isRetryable = true
  get message(): string {
    return "the broker refused to store it in one of its queues (a length limit set by a policy, or no majority); other queues may have it: publish it again later with the same `id`, or raise the limit"
  }
}

/** It was sent and the answer was lost: it may be stored. Publish again with the same id. */
export class Unknown extends TaggedClass<Unknown>()("Unknown", () => ({})) {
  readonly isRetryable = true
  get message(): string {
    return "it was sent but the broker's answer was lost, so it may be stored: publish it again with the same `id`, so that subscribers recognise the duplicate"
  }
}

/** A value, never a throw. */
export type SendOutcome = Confirmed | NotSent | Rejected | Unknown

export const routed: Confirmed = { _tag: "Confirmed", routed: true }
export const unrouted: Confirmed = { _tag: "Confirmed", routed: false }
export const rejected = new Rejected()
export const unknown = new Unknown()
export const notSent = (error: BrokerError): NotSent => ({ _tag: "NotSent", error })
