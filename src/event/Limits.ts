/**
 * Limits on bodies from outside, checked before anything is parsed, so that no sender can exhaust memory or stack, or
 * inject a key that changes a prototype.
 */
import { isUtf8 } from "node:buffer"
import { type Body, bytesOf, sizeOf, textOf } from "./Body.ts"

export interface Limits {
  /** Most bytes of a body. */
  readonly bodyBytes: number
  /** Deepest nesting of objects and arrays. */
  readonly depth: number
  /** Most values in a body: members of objects and elements of arrays. */
  readonly values: number
}

export const defaults: Limits = { bodyBytes: 1024 * 1024, depth: 64, values: 100_000 }

/** Most bytes of an id, or of a key or source that this library writes: the capacity of an AMQP short string. */
export const maxShortStringBytes = 255

/**
 * Most bytes of a subject or source of another program. CloudEvents sets no limit, but asks consumers to take events of
 * 64 KiB (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md#size-limits).
 */
export const maxForeignTextBytes = 64 * 1024

/** Whether a text has at most this many bytes, and fits into an AMQP short string unless more are allowed. */
export const fits = (text: string, maxBytes = maxShortStringBytes): boolean =>
  text.length <= maxBytes / 3 || Buffer.byteLength(text) <= maxBytes

/** A text cut to what an AMQP short string holds. */
export const shortText = (text: string): string =>
  fits(text) ? text : Buffer.from(text).toString("utf8", 0, maxShortStringBytes - 3)

/** Most bytes of the headers that a user may add to one event. */
export const maxUserHeaderBytes = 4 * 1024

/** Most headers that are kept of a received event, and most of a publish. */
export const maxReceivedHeaders = 64

/** Most bytes of headers that are kept of a received event. */
export const maxReceivedHeaderBytes = 8 * 1024

/** Most bytes of baggage, and most members of it (https://www.w3.org/TR/baggage/#limits). */
export const maxBaggageBytes = 8 * 1024
export const maxBaggageMembers = 180

const quote = 0x22
const backslash = 0x5c
const comma = 0x2c

/** Why a body exceeds the limits; undefined if it does not. */
export const bodyFault = (body: Body, limits: Limits): string | undefined =>
  sizeFault(body, limits) ?? textFault(body, textOf(body), limits)

/** The checks that need no text. */
export const sizeFault = (body: Body, limits: Limits): string | undefined => {
  // A UTF-16 code unit takes at most three bytes in UTF-8.
  if (body.length <= limits.bodyBytes / 3) return body.length === 0 ? "the body is empty" : undefined
  const bytes = sizeOf(body)
  return bytes > limits.bodyBytes ? `the body has ${bytes} bytes, the limit is ${limits.bodyBytes}` : undefined
}

/** The remaining checks. `text` is the body as text. */
export const textFault = (body: Body, text: string, limits: Limits): string | undefined => {
  // Bytes that are not UTF-8 are decoded as this character, which few bodies contain.
  if (typeof body !== "string" && text.includes("\ufffd") && !isUtf8(body)) return "the body is not UTF-8"
  if (text.startsWith("\ufeff")) return "the body begins with a byte order mark"
  // A cheap check first: a body with few brackets cannot nest too deep, and a short one cannot have too many values.
  return body.length <= limits.values && countBrackets(text, limits.depth) <= limits.depth
    ? undefined
    : shapeFault(bytesOf(body), limits)
}

/** Number of opening brackets, counted up to `limit` + 1. The search of the runtime is far faster than a loop. */
const countBrackets = (text: string, limit: number): number => {
  let count = 0
  for (const bracket of openingBrackets) {
    for (let at = text.indexOf(bracket); at >= 0 && count <= limit; at = text.indexOf(bracket, at + 1)) count++
  }
  return count
}
const openingBrackets = ["{", "["] as const

const shapeFault = (body: Buffer, limits: Limits): string | undefined => {
  let depth = 0
  let values = 0
  for (let i = 0; i < body.length; i++) {
    const byte = body[i]
    if (byte === quote) {
      // Strings are skipped by the search of the runtime, up to the next quote that is not escaped.
      do i = body.indexOf(quote, i + 1)
      while (i > 0 && escaped(body, i))
      if (i < 0) return undefined // Unterminated: the parser reports it.
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

/** Whether parsed JSON has a key "__proto__". It is searched only if the text may contain one. */
export const hidesForbiddenKey = (text: string, parsed: unknown): boolean =>
  (text.includes("__proto__") || text.includes("\\u")) && hasForbiddenKey(parsed)

export const hasForbiddenKey = (value: unknown): boolean => {
  if (typeof value !== "object" || value === null) return false
  if (Array.isArray(value)) return value.some(hasForbiddenKey)
  if (Object.hasOwn(value, "__proto__")) return true
  return Object.values(value).some(hasForbiddenKey)
}
