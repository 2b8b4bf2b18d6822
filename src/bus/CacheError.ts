/**
 * Why the cache did not answer, as a value: it is away and comes back by itself, it refuses until
 * somebody does something, or what it holds does not fit the contract that asks. Messages hold neither
 * payloads nor urls (P14).
 */
import { Schema } from "effect"

/** The store cannot be reached or did not answer in time. Heals by itself. */
export class CacheUnavailable extends Schema.TaggedClass<CacheUnavailable>()("Unavailable", { detail: Schema.String }) {
  readonly isRetryable = true
  get message(): string {
    return `the cache does not answer (${this.detail}); publishing and handling go on without it`
  }
}

/** The store refuses: credentials, permissions, memory, a replica that is read only. */
export class CacheRefused extends Schema.TaggedClass<CacheRefused>()("Refused", {
  code: Schema.String,
  remedy: Schema.String
}) {
  readonly isRetryable = false
  get message(): string {
    return `the cache refuses (${this.code}): ${this.remedy}`
  }
}

/** What was remembered cannot be decoded by the contract that asks. */
export class CacheCorrupt extends Schema.TaggedClass<CacheCorrupt>()("Corrupt", {
  event: Schema.String,
  detail: Schema.String
}) {
  readonly isRetryable = false
  get message(): string {
    return `what the cache remembers of "${this.event}" does not fit its contract: ${this.detail}; give the contract its older version as \`previous\`, or publish the event again`
  }
}

export class CacheError extends Schema.TaggedError<CacheError>()("CacheError", {
  reason: Schema.Union([CacheUnavailable, CacheRefused, CacheCorrupt])
}) {
  get isRetryable(): boolean {
    return this.reason.isRetryable
  }
  override get message(): string {
    return this.reason.message
  }
}
