/** The kinds of options that nearly every command has. */
import * as Flag from "effect/cli/Flag"

/** A text that need not be given. `metavar` is how help shows its value. */
export const text = (name: string, description: string, metavar: string) =>
  Flag.String(name).pipe(Flag.withDescription(description), Flag.withMetavar(metavar), Flag.optional)

/** True where it is given. */
export const toggle = (name: string, description: string) =>
  Flag.Boolean(name).pipe(Flag.withDescription(description), Flag.withoutNegation, Flag.withDefault(false))
