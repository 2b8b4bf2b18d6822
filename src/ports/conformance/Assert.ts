/**
 * The assertions of the conformance suites, over node:assert: an adapter author needs no test framework of ours.
 */
import { AssertionError, deepStrictEqual, fail, match, notStrictEqual, ok, strictEqual } from "node:assert"
import { isDeepStrictEqual } from "node:util"

export interface Assert {
  (condition: unknown, message?: string): asserts condition
  readonly fail: (message: string) => never
  readonly isTrue: (value: unknown, message?: string) => asserts value is true
  readonly isFalse: (value: unknown, message?: string) => asserts value is false
  readonly isUndefined: (value: unknown, message?: string) => asserts value is undefined
  readonly isDefined: (value: unknown, message?: string) => void
  readonly isString: (value: unknown, message?: string) => asserts value is string
  readonly strictEqual: (actual: unknown, expected: unknown, message?: string) => void
  readonly notStrictEqual: (actual: unknown, expected: unknown, message?: string) => void
  /** Equal in all own properties; whether a record has a prototype makes no difference. */
  readonly deepStrictEqual: (actual: unknown, expected: unknown, message?: string) => void
  /** The record has these properties, and perhaps more. */
  readonly deepInclude: (
    actual: object | undefined,
    expected: Readonly<Record<string, unknown>>,
    message?: string
  ) => void
  readonly include: (actual: Included, expected: unknown, message?: string) => void
  readonly notInclude: (actual: Included, expected: unknown, message?: string) => void
  readonly sameMembers: (actual: ReadonlyArray<unknown>, expected: ReadonlyArray<unknown>, message?: string) => void
  readonly lengthOf: (actual: { readonly length: number }, length: number, message?: string) => void
  readonly match: (actual: string, pattern: RegExp, message?: string) => void
  readonly isAbove: (actual: number, bound: number, message?: string) => void
  readonly isAtLeast: (actual: number, bound: number, message?: string) => void
  readonly isBelow: (actual: number, bound: number, message?: string) => void
  readonly isAtMost: (actual: number, bound: number, message?: string) => void
}

type Included = string | ReadonlyArray<unknown>

const compared =
  (relation: string, holds: (actual: number, bound: number) => boolean) =>
  (actual: number, bound: number, message = `${actual} is not ${relation} ${bound}`): void =>
    ok(holds(actual, bound), message)

const has = (actual: Included, expected: unknown): boolean =>
  typeof actual === "string" ? actual.includes(String(expected)) : actual.includes(expected)

export const assert: Assert = Object.assign((condition: unknown, message?: string) => ok(condition, message), {
  fail,
  strictEqual,
  notStrictEqual,
  match,
  isTrue: (value: unknown, message?: string) => strictEqual(value, true, message),
  isFalse: (value: unknown, message?: string) => strictEqual(value, false, message),
  isUndefined: (value: unknown, message?: string) => strictEqual(value, undefined, message),
  isDefined: (value: unknown, message?: string) => notStrictEqual(value, undefined, message),
  isString: (value: unknown, message?: string) => strictEqual(typeof value, "string", message),
  deepStrictEqual: (actual: unknown, expected: unknown, message?: string) =>
    deepStrictEqual(plain(actual), plain(expected), message),
  deepInclude: (actual: object | undefined, expected: Readonly<Record<string, unknown>>, message?: string) => {
    const all = Object(plain(actual))
    const found = Object.fromEntries(Object.keys(expected).map((key) => [key, plain(all[key])]))
    deepStrictEqual(found, plain(expected), message)
  },
  include: (actual: Included, expected: unknown, message = `${show(actual)} does not include ${show(expected)}`) =>
    ok(has(actual, expected), message),
  notInclude: (actual: Included, expected: unknown, message = `${show(actual)} includes ${show(expected)}`) =>
    ok(!has(actual, expected), message),
  sameMembers: (actual: ReadonlyArray<unknown>, expected: ReadonlyArray<unknown>, message?: string) => {
    const left = [...actual]
    const missing = expected.filter((one) => {
      const at = left.findIndex((other) => isDeepStrictEqual(one, other))
      if (at >= 0) left.splice(at, 1)
      return at < 0
    })
    deepStrictEqual({ missing, unexpected: left }, { missing: [], unexpected: [] }, message)
  },
  lengthOf: (actual: { readonly length: number }, length: number, message?: string) =>
    strictEqual(actual.length, length, message),
  isAbove: compared("above", (actual, bound) => actual > bound),
  isAtLeast: compared("at least", (actual, bound) => actual >= bound),
  isBelow: compared("below", (actual, bound) => actual < bound),
  isAtMost: compared("at most", (actual, bound) => actual <= bound)
})

export { AssertionError }

const show = (value: unknown): string => (typeof value === "string" ? JSON.stringify(value) : String(value))

/** Records without a prototype, such as received headers, as literals. */
const plain = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== "object" || value === null) return value
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== null && prototype !== Object.prototype) return value
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, plain(one)]))
}
