/**
 * What a body from outside may look like, checked on the bytes before anything is parsed, so that no
 * sender can exhaust memory or stack, or smuggle a key that changes a prototype (P15).
 */
import { isUtf8 } from "node:buffer"
import { type Body, bytesOf, sizeOf, textOf } from "./Body.ts"

export interface Limits {
  /** Bytes of a body. */
  readonly bodyBytes: number
  /** Nesting of objects and arrays. */
  readonly depth: number
  /** Values in a body: keys and array elements. */
  readonly values: number
}

export const defaults: Limits = { bodyBytes: 1024 * 1024, depth: 64, values: 100_000 }

/** Bytes of a correlation id, causation id, key or source: what an AMQP short string can hold. */
export const shortBytes = 255

/** Bytes of the headers that a user may add to one event. */
export const userHeaderBytes = 4 * 1024

const quote = 0x22
const backslash = 0x5c
const comma = 0x2c

/** Why these bytes are not worth parsing, or undefined. */
export const bodyFault = (body: Body, limits: Limits): string | undefined =>
  sizeFault(body, limits) ?? textFault(body, textOf(body), limits)

/** The part of it that is told before the bytes are made a text. */
export const sizeFault = (body: Body, limits: Limits): string | undefined => {
  // A letter takes three bytes at most.
  if (body.length <= limits.bodyBytes / 3) return body.length === 0 ? "the body is empty" : undefined
  const bytes = sizeOf(body)
  return bytes > limits.bodyBytes ? `the body has ${bytes} bytes, at most ${limits.bodyBytes} are accepted` : undefined
}

/** The rest of it; `text` is what the bytes say. */
export const textFault = (body: Body, text: string, limits: Limits): string | undefined => {
  // What is not UTF-8 is read as this character, which few bodies have.
  if (typeof body !== "string" && text.includes("\ufffd") && !isUtf8(body)) return "the body is not UTF-8"
  if (text.startsWith("\ufeff")) return "the body begins with a byte order mark"
  // Whatever its texts hold: with so few brackets it cannot nest too deep, nor so short hold too much.
  return body.length <= limits.values && brackets(text, limits.depth) <= limits.depth
    ? undefined
    : shapeFault(bytesOf(body), limits)
}

/** How many open, counted until there are more than `enough`; by the search of the runtime, far faster than a loop. */
const brackets = (text: string, enough: number): number => {
  let count = 0
  for (const bracket of opening) {
    for (let at = text.indexOf(bracket); at >= 0 && count <= enough; at = text.indexOf(bracket, at + 1)) count++
  }
  return count
}
const opening = ["{", "["] as const

const shapeFault = (body: Buffer, limits: Limits): string | undefined => {
  let depth = 0
  let values = 0
  for (let i = 0; i < body.length; i++) {
    const byte = body[i]
    if (byte === quote) {
      // Strings are skipped natively: the next quote that is not escaped ends this one.
      do i = body.indexOf(quote, i + 1)
      while (i > 0 && escaped(body, i))
      if (i < 0) return undefined // unterminated: the parser says where
    } else if (byte === 0x7b || byte === 0x5b) {
      values++
      if (++depth > limits.depth) return `the body nests deeper than ${limits.depth} levels`
    } else if (byte === 0x7d || byte === 0x5d) depth--
    else if (byte === comma) values++
    if (values > limits.values) return `the body has more than ${limits.values} values`
  }
  return undefined
}

const escaped = (body: Buffer, at: number): boolean => {
  let slashes = 0
  while (body[at - 1 - slashes] === backslash) slashes++
  return slashes % 2 === 1
}

/** Whether a key "__proto__" is in what was parsed; looked for only when the text could spell it. */
export const hidesForbiddenKey = (text: string, parsed: unknown): boolean =>
  (text.includes("__proto__") || text.includes("\\u")) && hasForbiddenKey(parsed)

export const hasForbiddenKey = (value: unknown): boolean => {
  if (typeof value !== "object" || value === null) return false
  if (Array.isArray(value)) return value.some(hasForbiddenKey)
  if (Object.hasOwn(value, "__proto__")) return true
  return Object.values(value).some(hasForbiddenKey)
}
