/**
 * Single values of input from outside, such as a field of a body or a header. A value of another type counts as
 * absent.
 */
export const text = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined)

/** The text of a header: clients whose texts are byte strings send them as bytes. */
export const headerText = (value: unknown): string | undefined =>
  value instanceof Uint8Array ? Buffer.from(value).toString("utf8") : text(value)

export const integer = (value: unknown): number | undefined =>
  typeof value === "number" && Number.isSafeInteger(value) ? value : undefined

/** A whole number from 0 up. */
export const count = (value: unknown): number | undefined => {
  const found = integer(value)
  return found === undefined || found < 0 ? undefined : found
}

/**
 * C0 but tab and line feed, DEL, C1, line separators, and the marks that turn the direction of text: a terminal obeys
 * them, so an id or a type could hide, move or forge what is printed around it.
 */
// oxlint-disable-next-line no-control-regex
const control = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/
// oxlint-disable-next-line no-control-regex
const controls = new RegExp(control.source, "g")
// oxlint-disable-next-line no-control-regex
const lineControls = /[\t\n]/g

const escaped = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`

/** A text of several lines that a terminal prints as it is: its control characters are escaped as in JSON. */
export const printableLines = (text: string): string => (control.test(text) ? text.replace(controls, escaped) : text)

/** The same on one line. */
export const printable = (text: string): string => printableLines(text).replace(lineControls, escaped)
