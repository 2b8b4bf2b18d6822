/**
 * Why a temporary state could not be read or written.
 */
import { faultSchema } from "../../event/EventError.ts"
import { TaggedClass, TaggedError } from "../../event/Tagged.ts"

/** The store does not answer: it is down, slow, or still connecting. */
export class StateUnavailable extends TaggedClass<StateUnavailable>()("Unavailable", (Schema) => ({
  detail: Schema.String
})) {
  readonly isRetryable = true
  get message(): string {
    return `the store does not answer (${this.detail})`
  }
}

/** The store refuses: credentials, permissions, memory, a replica that is read only. */
export class StateRefused extends TaggedClass<StateRefused>()("Refused", (Schema) => ({
  code: Schema.String,
  remedy: Schema.String
})) {
  readonly isRetryable = false
  get message(): string {
    return `the store refuses (${this.code}): ${this.remedy}`
  }
}

/** The value given to `set`, or found by `get`, does not match the schema. */
export class StateInvalid extends TaggedClass<StateInvalid>()("Invalid", (Schema) => ({
  faults: Schema.Array(faultSchema(Schema))
})) {
  readonly isRetryable = false
  get message(): string {
    const faults = this.faults.map(({ expected, path }) => `${path}: ${expected}`).join("; ")
    return `the value does not match the schema (${faults}): correct it, or remove it and give the state another name`
  }
}

/** An option of `make` or `set` does not exist, is missing, or cannot work. */
export class StateOptionInvalid extends TaggedClass<StateOptionInvalid>()("Option", (Schema) => ({
  option: Schema.String,
  problem: Schema.String,
  remedy: Schema.String
})) {
  readonly isRetryable = false
  get message(): string {
    return `\`${this.option}\`: ${this.problem}. ${this.remedy}`
  }
}

export class StateError extends TaggedError<StateError>()("StateError", (Schema) => ({
  name: Schema.String,
  reason: Schema.Union([StateUnavailable, StateRefused, StateInvalid, StateOptionInvalid])
})) {
  get isRetryable(): boolean {
    return this.reason.isRetryable
  }
  override get message(): string {
    return `temporary state "${this.name}": ${this.reason.message}`
  }
}
