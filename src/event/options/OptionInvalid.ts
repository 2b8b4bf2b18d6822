/** A wrong option of a call whose own errors are about something else. */
import { TaggedError } from "../Tagged.ts"
import { faultOf, type Kinds } from "./OptionKinds.ts"

/**
 * An option that does not exist, is missing, or has a value that cannot work. It is a mistake of the program: calls that
 * cannot fail throw it, or die of it.
 */
export class OptionInvalid extends TaggedError<OptionInvalid>()("OptionInvalid", (Schema) => ({
  /** What was called. */
  call: Schema.String,
  option: Schema.String,
  problem: Schema.String,
  remedy: Schema.String
})) {
  override get message(): string {
    return `${this.call}: \`${this.option}\`: ${this.problem}. ${this.remedy}`
  }
}

/** The first wrong option of this call, or undefined. */
export const of = (call: string, options: unknown, kinds: Kinds): OptionInvalid | undefined => {
  const fault = faultOf(options, kinds)
  return fault === undefined ? undefined : new OptionInvalid({ call, ...fault })
}

/** Throws for the first wrong option. */
export const check = (call: string, options: unknown, kinds: Kinds): void => {
  const fault = of(call, options, kinds)
  if (fault !== undefined) throw fault
}
