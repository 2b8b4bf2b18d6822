/**
 * Why a subscriber cannot start or change.
 */
import { TaggedClass, TaggedError } from "../../event/Tagged.ts"
import { bounded, quoted } from "../../event/EventError.ts"
import { type BrokerError } from "../port/BrokerError.ts"
import * as BrokerReason from "../port/BrokerReason.ts"

/** The options of a subscriber cannot work. */
export class SubscriberInvalid extends TaggedClass<SubscriberInvalid>()("Invalid", (Schema) => ({
  option: Schema.String,
  problem: Schema.String,
  remedy: Schema.String
})) {
  readonly isRetryable = false
  get message(): string {
    return `\`${this.option}\`: ${this.problem}. ${this.remedy}`
  }
}

export class SubscribeError extends TaggedError<SubscribeError>()("SubscribeError", (Schema) => ({
  subscriber: Schema.String,
  reason: Schema.Union([SubscriberInvalid, ...BrokerReason.members])
})) {
  get isRetryable(): boolean {
    return this.reason.isRetryable
  }
  override get message(): string {
    // A running subscriber refuses options, too: those of setConcurrency and release.
    const what = this.reason._tag === "Invalid" ? "" : " cannot start"
    return `subscriber "${quoted(this.subscriber)}"${what}: ${bounded(this.reason.message)}`
  }
  static fromBroker(subscriber: string, error: BrokerError): SubscribeError {
    return new SubscribeError({ subscriber, reason: error.reason })
  }
}
