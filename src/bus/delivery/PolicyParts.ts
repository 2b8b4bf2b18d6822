/**
 * What the parts of the failure policy of one subscriber share.
 */
import type * as Clock from "effect/Clock"
import type * as Monotonic from "../../observe/Monotonic.ts"
import type * as Event from "../../event/Event.ts"
import type * as Log from "../../observe/Log.ts"
import type * as Metrics from "../../observe/Meters.ts"
import type { Delivery } from "../port/Broker.ts"
import type * as Diagnosis from "../send/Diagnosis.ts"
import type * as RetryDelay from "../subscriber/RetryDelay.ts"
import type { Copies } from "./Copies.ts"
import type { FailureFeed } from "./FailureFeed.ts"
import type { WaitingHeads } from "./WaitingHeads.ts"

export interface PolicyParts<RetryError> {
  readonly subscriber: PolicySubscriber<RetryError>
  /** Wall time goes by it. */
  readonly clock: Clock.Clock
  /** What is measured in this process goes by this. */
  readonly monotonic: Monotonic.Monotonic
  readonly copies: Copies
  readonly counters: Counters
  readonly metrics: Metrics.SubscriberMetrics
  readonly log: Log.Log
  readonly failures: FailureFeed
  readonly heads: WaitingHeads
}

/** The settings of a subscriber that the policy depends on. */
export interface PolicySubscriber<RetryError> {
  readonly name: string
  readonly contracts: ReadonlyMap<string, Event.Any>
  readonly ordering: "none" | "key"
  readonly onBlocked: "dead-letter" | "park"
  readonly window: { readonly size: number }
  readonly ephemeral: boolean
  readonly announceDeadLetters: boolean
  readonly maxPostponed: number
  readonly retry: RetryDelay.RetryPolicy<RetryError>
  readonly onDeadLetter?: OnDeadLetter
}

/** Called for each dead letter of a subscriber, once it is stored. Never throws. */
export type OnDeadLetter = (delivery: Delivery, diagnosis: Diagnosis.Diagnosis) => void

/** What became of the deliveries of one subscriber since it was started. */
export interface Counters {
  handled: number
  retried: number
  deadLettered: number
  postponed: number
  skipped: number
  duplicates: number
  returns: number
}

export const counters = (): Counters => ({
  handled: 0,
  retried: 0,
  deadLettered: 0,
  postponed: 0,
  skipped: 0,
  duplicates: 0,
  returns: 0
})
