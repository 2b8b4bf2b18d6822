/** What an operation fails with beyond the errors of the bus. */
import { quoted } from "../event/EventError.ts"
import { TaggedError } from "../event/Tagged.ts"

export class LetterMissing extends TaggedError<LetterMissing>()("LetterMissing", (Schema) => ({
  source: Schema.String,
  id: Schema.String
})) {
  override get message(): string {
    return `no dead letter of "${quoted(this.source)}" has the id "${quoted(this.id)}": it was replayed, discarded, or never there`
  }
}

/** What was asked cannot be done as it was asked. Nothing was done. */
const isMistake = true

export class ContractMissing extends TaggedError<ContractMissing>()("ContractMissing", (Schema) => ({
  event: Schema.String,
  /** Some that are there. */
  known: Schema.Array(Schema.String)
})) {
  readonly isMistake = isMistake
  override get message(): string {
    const known = this.known.length === 0 ? "no contracts are loaded" : `known are ${this.known.join(", ")}`
    return `event "${quoted(this.event)}" has no contract here (${known}): give the module with --contracts, or say with --unchecked <version> that the data is sent as it is, as data of that version`
  }
}

export class ContractThere extends TaggedError<ContractThere>()("ContractThere", (Schema) => ({
  event: Schema.String
})) {
  readonly isMistake = isMistake
  override get message(): string {
    return `event "${quoted(this.event)}" has a contract, which subscribers check as well: leave out --unchecked`
  }
}

/** An option that does not fit to the others. */
export class RequestInvalid extends TaggedError<RequestInvalid>()("RequestInvalid", (Schema) => ({
  problem: Schema.String
})) {
  readonly isMistake = isMistake
  override get message(): string {
    return this.problem
  }
}

/** The input could not be read to its end. */
export class InputFailed extends TaggedError<InputFailed>()("InputFailed", (Schema) => ({
  line: Schema.Int,
  detail: Schema.String
})) {
  override get message(): string {
    return `the input cannot be read from line ${this.line} on (${this.detail}): what stands before that line is done`
  }
}

export class PauseDenied extends TaggedError<PauseDenied>()("PauseDenied", (Schema) => ({
  /** `pause` or `resume`. */
  verb: Schema.String,
  subscriber: Schema.String
})) {
  override get message(): string {
    return `the user of EVENTBUS_REDIS_URL may not ${this.verb} "${quoted(this.subscriber)}": operators alone may. Log in as one; \`eventbus grants\` writes the rights of their Redis user`
  }
}

export class RightsMissing extends TaggedError<RightsMissing>()("RightsMissing", (Schema) => ({
  /** Verb and object of each. */
  missing: Schema.Array(Schema.String),
  mend: Schema.String
})) {
  override get message(): string {
    return `the user of EVENTBUS_URL may not ${this.missing.join(", nor ")}: to look at live events it needs these rights, and no others: ${this.mend}`
  }
}
