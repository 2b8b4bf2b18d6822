/** The error of a cache, with its reason. */
import { TaggedError } from "../../event/Tagged.ts"
import * as CacheReason from "./CacheReason.ts"

export class CacheError extends TaggedError<CacheError>()("CacheError", (Schema) => ({
  reason: Schema.Union(CacheReason.members)
})) {
  get isRetryable(): boolean {
    return this.reason.isRetryable
  }
  override get message(): string {
    return this.reason.message
  }
}
