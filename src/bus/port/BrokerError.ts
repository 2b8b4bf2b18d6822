/** The error of a broker, with its reason. */
import { TaggedError } from "../../event/Tagged.ts"
import { bounded } from "../../event/EventError.ts"
import * as BrokerReason from "./BrokerReason.ts"

export class BrokerError extends TaggedError<BrokerError>()("BrokerError", (Schema) => ({
  reason: Schema.Union(BrokerReason.members)
})) {
  get isRetryable(): boolean {
    return this.reason.isRetryable
  }
  override get message(): string {
    return bounded(this.reason.message)
  }
}
