/**
 * JSON from outside. Integers that JavaScript would round are refused, because a rounded id or amount is another one:
 * every integer up to 2^53 is exact, and a larger one is accepted if its value is the same afterwards.
 */
import * as Result from "effect/Result"
import * as Limits from "./Limits.ts"

/** The value of a text, or why it is refused. `subject` is what the message calls the text. */
export const parse = (written: string, subject: "the body" | "the data"): Result.Result<unknown, string> => {
  let json: unknown
  try {
    json = JSON.parse(written)
  } catch {
    // The message of V8 quotes the text, which may hold secrets.
    return Result.fail(`${subject} is not JSON`)
  }
  if (Limits.hidesForbiddenKey(written, json)) return Result.fail(`${subject} has a key "__proto__"`)
  const at = roundedAt(written)
  return at === undefined
    ? Result.succeed(json)
    : Result.fail(
        `${subject} has an integer beyond 2^53 at character ${at}, which JavaScript would round: send it as a string`
      )
}

/** The most digits of which every integer is exact. */
const exactDigits = 15
/** More digits than the largest number has. */
const infiniteDigits = 309
const tokens = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g

/** Where an integer begins that JavaScript would round. The text is JSON from `from` on. */
export const roundedAt = (written: string, from = 0): number | undefined => {
  if (!hasLongInteger(written, from)) return undefined
  tokens.lastIndex = from
  for (let token = tokens.exec(written); token !== null; token = tokens.exec(written))
    if (isRounded(token[0])) return token.index
  return undefined
}

const isRounded = (token: string): boolean => {
  if (token.length <= exactDigits || !/^-?\d+$/.test(token)) return false
  const value = Number(token)
  // JavaScript writes 2^64 as 18446744073709552000, which is not its value but is read as it.
  return token.length > infiniteDigits || (String(value) !== token && BigInt(token) !== BigInt(value))
}

/**
 * Whether there may be an integer of more than 15 digits outside of strings. Every 16th character is enough: a run of 16
 * digits has one of them.
 */
const hasLongInteger = (written: string, from: number): boolean => {
  for (let at = from + exactDigits; at < written.length; at += exactDigits + 1) {
    if (!isDigit(written.charCodeAt(at))) continue
    let start = at
    while (start > from && isDigit(written.charCodeAt(start - 1))) start--
    let end = at + 1
    while (isDigit(written.charCodeAt(end))) end++
    if (end - start > exactDigits && endsNumber(written.charCodeAt(end)) && beginsNumber(written, start, from))
      return true
    at = end - 1
  }
  return false
}

const isDigit = (code: number): boolean => code >= 0x30 && code <= 0x39
const isSpace = (code: number): boolean => code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09

/** The end of the text, a comma, or a closing bracket. */
const endsNumber = (code: number): boolean =>
  Number.isNaN(code) || code === 0x2c || code === 0x5d || code === 0x7d || isSpace(code)

/** Whether the digits follow a colon, a comma or an opening bracket, with a minus in between if there is one. */
const beginsNumber = (written: string, start: number, from: number): boolean => {
  const at = start - 1
  const before = written.charCodeAt(at) === 0x2d ? at - 1 : at
  const code = written.charCodeAt(before)
  return before < from || code === 0x3a || code === 0x2c || code === 0x5b || isSpace(code)
}

export const notJsonText =
  "expected a JSON value: null, a boolean, a finite number, a string, or an array or plain object of these"

/**
 * Where a value is none that JSON keeps: undefined, a function, NaN, a class instance, a hole in an array. Undefined if
 * there is no such place. What is nested deeper than `maxDepth`, or refers to itself, is refused elsewhere.
 */
export const notJsonAt = (value: unknown, maxDepth: number): ReadonlyArray<string> | undefined => {
  if (typeof value === "number") return Number.isFinite(value) ? undefined : []
  if (value === null || typeof value === "string" || typeof value === "boolean") return undefined
  if (typeof value !== "object") return []
  const isArray = Array.isArray(value)
  const prototype: unknown = Object.getPrototypeOf(value)
  if (!isArray && prototype !== Object.prototype && prototype !== null) return []
  if (maxDepth === 0) return undefined
  // With the holes of an array, which have no key of their own.
  const keys = isArray ? Array.from(value, (_, i) => String(i)) : Object.keys(value)
  for (const key of keys) {
    const at = notJsonAt(Reflect.get(value, key), maxDepth - 1)
    if (at !== undefined) return [key, ...at]
  }
  return undefined
}
