/**
 * Which options a call has, and the kind of value that each of them takes. Callers without types may pass anything
 * under any name, and what nobody reads would be an option that silently does nothing.
 */
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import { millisOf, named, remedyOfUnknown, shown } from "./OptionNames.ts"

export interface Kind {
  /** What the option takes, as its error says it. */
  readonly expected: string
  readonly holds: (value: unknown) => boolean
  /** The options within it, if it is an object. */
  readonly fields?: Kinds
  /** The kind of its elements, if it is a list. */
  readonly items?: Kind
  readonly isRequired?: true
}
export type Kinds = Readonly<Record<string, Kind>>

/** The kinds of all options of a type, so that none is forgotten. */
export type KindsOf<Options> = { readonly [Name in keyof Options & string]-?: Kind }

/** What is wrong with an option. The errors of the calls have these fields. */
export interface OptionFault {
  /** Its path, such as `batch.size`; `options` when they are no object. */
  readonly option: string
  readonly problem: string
  readonly remedy: string
}

export const anything: Kind = { expected: "a value", holds: () => true }
export const number: Kind = { expected: "a number", holds: Predicate.isNumber }
export const count: Kind = {
  expected: "a whole number from 1 up",
  holds: (value) => Number.isSafeInteger(value) && Number(value) >= 1
}
/** The same, or none. */
export const whole: Kind = {
  expected: "a whole number from 0 up",
  holds: (value) => Number.isSafeInteger(value) && Number(value) >= 0
}
/** A number of things, of which there may be none or any number. */
export const limit: Kind = { expected: "a number from 0 up", holds: (value) => Predicate.isNumber(value) && value >= 0 }
/** A rate, which may be a fraction. */
export const above: Kind = { expected: "a number above 0", holds: (value) => Predicate.isNumber(value) && value > 0 }
/** How likely something is. */
export const share: Kind = {
  expected: "a number from 0 to 1",
  holds: (value) => Predicate.isNumber(value) && value >= 0 && value <= 1
}
export const bool: Kind = { expected: "true or false", holds: Predicate.isBoolean }
export const text: Kind = { expected: "a text", holds: Predicate.isString }
export const func: Kind = { expected: "a function", holds: Predicate.isFunction }
export const effect: Kind = { expected: "an Effect", holds: Effect.isEffect }
export const duration: Kind = {
  expected: 'a length of time, such as "30 seconds"',
  holds: (value) => millisOf(value) >= 0
}
export const time: Kind = {
  expected: 'a length of time above 0, such as "30 seconds"',
  holds: (value) => millisOf(value) > 0
}
export const date: Kind = {
  expected: "a Date that exists",
  holds: (value) => value instanceof Date && !Number.isNaN(value.getTime())
}
/** A text, or the same in a `Redacted`. */
export const secret: Kind = {
  expected: "a text, or a Redacted with one",
  holds: (value) => Predicate.isString(Redacted.isRedacted(value) ? Redacted.value(value) : value)
}

export const plain: Kind = { expected: "an object", holds: Predicate.isObject }
export const record = (fields: Kinds): Kind => ({
  expected: `an object with ${Object.keys(fields).join(", ")}`,
  holds: Predicate.isObject,
  fields
})
export const listOf = (items: Kind, expected: string): Kind => ({ expected, holds: Array.isArray, items })
export const oneOf = (...values: ReadonlyArray<string>): Kind => ({
  expected: values.map((value) => `"${value}"`).join(" or "),
  holds: (value) => Predicate.isString(value) && values.includes(value)
})
/** A value of this kind, or one for which another test holds. */
export const or = (kind: Kind, expected: string, holds: (value: unknown) => boolean): Kind => ({
  ...kind,
  expected: `${kind.expected}, or ${expected}`,
  holds: (value) => kind.holds(value) || holds(value)
})
export const required = (kind: Kind): Kind => ({ ...kind, isRequired: true })

/** How an error quotes a value. */
type Quote = (value: unknown) => string

/** For options that may hold a secret, under the right name or a wrong one: what kind of value it is. */
export const kindOnly: Quote = (value) => (Predicate.isString(value) ? "a text" : shown(value))

/** The first option that does not exist, is of another kind, or is missing. */
export const faultOf = (options: unknown, kinds: Kinds, quote: Quote = shown): OptionFault | undefined => {
  if (Predicate.isObject(options)) return faultWithin("", options, kinds, quote)
  const needed = Object.keys(kinds).filter((name) => kinds[name]?.isRequired === true)
  const names = needed.length === 0 ? Object.keys(kinds).join(", ") : needed.map((name) => `\`${name}\``).join(" and ")
  return { option: "options", problem: `${quote(options)} is not an object`, remedy: `Give an object with ${names}` }
}

const faultWithin = (path: string, options: object, kinds: Kinds, quote: Quote): OptionFault | undefined => {
  for (const [name, value] of Object.entries(options)) {
    const kind = Object.hasOwn(kinds, name) ? kinds[name] : undefined
    if (kind === undefined) {
      const problem = `there is no such option (its value is ${quote(value)})`
      return { option: `${path}${named(name)}`, problem, remedy: remedyOfUnknown(name, Object.keys(kinds)) }
    }
    const fault = value === undefined ? undefined : valueFault(`${path}${name}`, value, kind, quote)
    if (fault !== undefined) return fault
  }
  for (const [name, { expected, isRequired }] of Object.entries(kinds)) {
    // An option may come from a getter, or from a prototype.
    if (isRequired === true && Reflect.get(options, name) === undefined)
      return { option: `${path}${name}`, problem: "it is missing", remedy: `Give ${expected}` }
  }
  return undefined
}

const valueFault = (option: string, value: unknown, kind: Kind, quote: Quote): OptionFault | undefined => {
  if (!kind.holds(value)) {
    return { option, problem: `${quote(value)} is not accepted`, remedy: `Give ${kind.expected}` }
  }
  // An Effect that gives such a record is not one.
  if (kind.fields !== undefined && Predicate.isObject(value) && !Effect.isEffect(value)) {
    return faultWithin(`${option}.`, value, kind.fields, quote)
  }
  const { items } = kind
  if (items === undefined || !Array.isArray(value)) return undefined
  for (const [index, item] of value.entries()) {
    const fault = valueFault(`${option}[${index}]`, item, items, quote)
    if (fault !== undefined) return fault
  }
  return undefined
}
