/**
 * How long after its publish an event may be handled. It has an end: an attribute of RFC 3339 has years of four digits, and what
 * is to live for ever has no time at all.
 */
import type * as Duration from "effect/Duration"
import type { Kind } from "./OptionKinds.ts"
import { millisOf } from "./OptionNames.ts"

const maxDays = 3650
const dayMillis = 24 * 60 * 60 * 1000

export const kind: Kind = {
  expected: `a length of time from 1 millisecond to ${maxDays} days, such as "30 minutes"`,
  holds: (value) => millisOf(value) >= 1 && millisOf(value) <= maxDays * dayMillis
}

/** The option as a command line or a request has it. Its form is checked where it is used, with an error that names it. */
export const ofText = (text: string | undefined): { readonly expiresAfter?: Duration.Input } =>
  text === undefined ? {} : { expiresAfter: text as `${number} seconds` }
