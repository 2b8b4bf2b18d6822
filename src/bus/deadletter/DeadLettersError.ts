/**
 * Why dead letters could not be read, replayed or discarded.
 */
import { TaggedError } from "../../event/Tagged.ts"
import { bounded, quoted } from "../../event/EventError.ts"
import * as BrokerReason from "../port/BrokerReason.ts"
import * as PublishReason from "../send/PublishReason.ts"

export class DeadLettersError extends TaggedError<DeadLettersError>()("DeadLettersError", (Schema) => ({
  source: Schema.String,
  reason: Schema.Union(BrokerReason.members)
})) {
  get isRetryable(): boolean {
    return this.reason.isRetryable
  }
  override get message(): string {
    return `dead letters of "${quoted(this.source)}": ${bounded(this.reason.message)}`
  }
}

/** A replay stopped early. The replayed letters are handled again; all others are where they were. */
export class ReplayError extends TaggedError<ReplayError>()("ReplayError", (Schema) => ({
  source: Schema.String,
  replayed: Schema.Int,
  remaining: Schema.Int,
  reason: Schema.Union([...BrokerReason.members, ...PublishReason.members])
})) {
  get isRetryable(): boolean {
    return this.reason.isRetryable
  }
  override get message(): string {
    return `replaying "${this.source}" stopped after ${this.replayed}, ${this.remaining} dead letters are left: ${this.reason.message}`
  }
}
