/**
 * Why the cache did not answer: it is away and comes back by itself, it refuses until an operator acts, or what it
 * holds does not fit the contract that asks. Messages hold neither payloads nor URLs, so that no secret leaves.
 */
import { TaggedClass } from "../../event/Tagged.ts"

/** The store cannot be reached or did not answer in time. It recovers by itself. */
export class CacheUnavailable extends TaggedClass<CacheUnavailable>()("Unavailable", (Schema) => ({
  detail: Schema.String
})) {
  readonly isRetryable = true
  get message(): string {
    return `the cache does not answer (${this.detail}); publishing and handling go on without it`
  }
}

/** The store refuses: credentials, permissions, memory, a replica that is read only. */
export class CacheRefused extends TaggedClass<CacheRefused>()("Refused", (Schema) => ({
  code: Schema.String,
  remedy: Schema.String
})) {
  readonly isRetryable = false
  get message(): string {
    return `the cache refuses (${this.code}): ${this.remedy}`
  }
}

/** A remembered event cannot be decoded by the contract that asks. */
export class CacheCorrupt extends TaggedClass<CacheCorrupt>()("Corrupt", (Schema) => ({
  event: Schema.String,
  detail: Schema.String
})) {
  readonly isRetryable = false
  get message(): string {
    return `what the cache remembers of "${this.event}" does not fit its contract: ${this.detail}; give the contract its older version as \`previous\`, or publish the event again`
  }
}

/** An option of a read does not exist, or cannot work. */
export class CacheOptionInvalid extends TaggedClass<CacheOptionInvalid>()("Option", (Schema) => ({
  option: Schema.String,
  problem: Schema.String,
  remedy: Schema.String
})) {
  readonly isRetryable = false
  get message(): string {
    return `\`${this.option}\`: ${this.problem}. ${this.remedy}`
  }
}

/** The reasons as schemas. */
export const members = [CacheUnavailable, CacheRefused, CacheCorrupt, CacheOptionInvalid] as const
export type CacheReason = InstanceType<(typeof members)[number]>
