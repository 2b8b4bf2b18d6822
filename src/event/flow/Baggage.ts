/**
 * W3C Baggage (https://www.w3.org/TR/baggage/): names and values that travel with everything that follows from one cause,
 * also through other systems. A member that was received is passed on in its own bytes.
 */
import * as Context from "effect/Context"
import * as Predicate from "effect/Predicate"
import * as Limits from "../Limits.ts"

/** What a member says of its value, such as `ttl=30`. It has no value where the sender gave none. */
export interface BaggageProperty {
  readonly key: string
  readonly value: string | undefined
}

export interface BaggageMember {
  readonly key: string
  /** Decoded. */
  readonly value: string
  readonly properties: ReadonlyArray<BaggageProperty>
  /** As the header has it. */
  readonly text: string
}

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const octets = /^[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*$/

/**
 * Names and values that travel with an event. Immutable.
 *
 * @example
 * ```ts
 * import { Baggage, CurrentBaggage } from "@eduflow/events"
 * import { Effect } from "effect"
 *
 * declare const enrol: Effect.Effect<void>
 * export const program = enrol.pipe(Effect.provideService(CurrentBaggage, Baggage.of({ channel: "app", cohort: "2026" })))
 * ```
 */
export class Baggage {
  /** In their order. A key may occur more than once. */
  readonly members: ReadonlyArray<BaggageMember>
  /** As the header `baggage` has it. */
  readonly text: string
  private constructor(members: ReadonlyArray<BaggageMember>) {
    this.members = members
    this.text = members.map(({ text }) => text).join(",")
  }

  /** Baggage of these values. */
  static of(values: Readonly<Record<string, string>>): Baggage {
    return new Baggage(Object.entries(values).map(([key, value]) => written(key, value, [])))
  }

  /** The baggage in a header: what is beyond the bounds is cut off, and members that break the grammar are left out. */
  static read(header: string): Baggage {
    return new Baggage(cut(header).split(",").flatMap(readMember))
  }

  /** Baggage that has nothing. */
  static readonly empty: Baggage = new Baggage([])

  /** What keeps it from being sent, and what to do about it. */
  get fault(): string | undefined {
    return faultOf(this.members, this.text)
  }

  /** The value of a key; the last one where the key occurs more than once. */
  get(key: string): string | undefined {
    return this.members.findLast((member) => member.key === key)?.value
  }

  /** The same with this value, behind the others. */
  with(key: string, value: string, properties: ReadonlyArray<BaggageProperty> = []): Baggage {
    return new Baggage([...this.others(key), written(key, value, properties)])
  }

  /** The same without this key. */
  without(key: string): Baggage {
    return new Baggage(this.others(key))
  }

  private others(key: string): ReadonlyArray<BaggageMember> {
    return this.members.filter((member) => member.key !== key)
  }
}

/** The baggage of the running fiber: a publish carries it. Within a handler it is that of the delivery. */
export const CurrentBaggage: Context.Reference<Baggage | undefined> = Context.Reference<Baggage | undefined>(
  "@eduflow/events/event/CurrentBaggage",
  { defaultValue: () => undefined }
)

/** Baggage, or its values. */
export type BaggageInput = Baggage | Readonly<Record<string, string>>

/** Callers come from outside of TypeScript too. */
export const isInput = (input: unknown): input is BaggageInput => input instanceof Baggage || isValues(input)

const isValues = (input: unknown): input is Readonly<Record<string, string>> =>
  Predicate.isObject(input) && Object.values(input).every(Predicate.isString)

/** Undefined for what is none. */
export const fromInput = (input: unknown): Baggage | undefined =>
  input instanceof Baggage ? input : isValues(input) ? Baggage.of(input) : undefined

/** A header, without the members that are beyond the bounds: never a part of one. The same text when none is. */
export const cut = (header: string): string => {
  // Too short to exceed any bound.
  if (header.length <= Limits.maxBaggageMembers) return header
  let bytes = -1
  let end = 0
  for (let members = 0, at = 0; at <= header.length && members < Limits.maxBaggageMembers; members++) {
    const comma = header.indexOf(",", at)
    const memberEnd = comma < 0 ? header.length : comma
    bytes += 1 + Buffer.byteLength(header.slice(at, memberEnd))
    if (bytes > Limits.maxBaggageBytes) break
    end = memberEnd
    at = memberEnd + 1
  }
  return end === header.length ? header : header.slice(0, end)
}

const written = (key: string, value: string, properties: ReadonlyArray<BaggageProperty>): BaggageMember => ({
  key,
  value,
  properties,
  text: [
    `${key}=${encode(value)}`,
    ...properties.map((property) =>
      property.value === undefined ? property.key : `${property.key}=${encode(property.value)}`
    )
  ].join(";")
})

/** Encodes more than it has to, because many parsers split at any `=`. */
const encode = (value: string): string => encodeURIComponent(String(value).toWellFormed())

const escapes = /(?:%[0-9a-f]{2})+/gi

/** Bytes that are not UTF-8 become U+FFFD, and a percent sign that escapes nothing stays. */
const decode = (value: string): string =>
  value.includes("%")
    ? value.replace(escapes, (escaped) => Buffer.from(escaped.replaceAll("%", ""), "hex").toString("utf8"))
    : value

/** The member in a part between two commas; none if it breaks the grammar. */
const readMember = (part: string): ReadonlyArray<BaggageMember> => {
  const text = trimmed(part)
  const [first = "", ...rest] = text.split(";")
  const member = readPair(first)
  const properties = rest.map(readPair)
  return member?.value === undefined || !properties.every(Predicate.isNotUndefined)
    ? []
    : [{ key: member.key, value: member.value, properties, text }]
}

/** A key, with a value if there is one. */
const readPair = (part: string): BaggageProperty | undefined => {
  const equals = part.indexOf("=")
  const key = trimmed(equals < 0 ? part : part.slice(0, equals))
  if (!token.test(key)) return undefined
  if (equals < 0) return { key, value: undefined }
  const value = trimmed(part.slice(equals + 1))
  return octets.test(value) ? { key, value: decode(value) } : undefined
}

/** White space of the grammar is blanks and tabs alone. A pattern would take quadratic time for long runs of them. */
const trimmed = (text: string): string => {
  let start = 0
  let end = text.length
  while (start < end && isSpace(text.charCodeAt(start))) start++
  while (end > start && isSpace(text.charCodeAt(end - 1))) end--
  return text.slice(start, end)
}

const isSpace = (code: number): boolean => code === 0x20 || code === 0x09

const faultOf = (members: ReadonlyArray<BaggageMember>, text: string): string | undefined => {
  if (members.length > Limits.maxBaggageMembers)
    return `it has ${members.length} members, at most ${Limits.maxBaggageMembers} are allowed: carry fewer of them (\`without\`), or put them into the data of the event`
  // Every character of a text that has no other fault is one byte.
  const bytes = Buffer.byteLength(text)
  if (bytes > Limits.maxBaggageBytes)
    return `it has ${bytes} bytes, at most ${Limits.maxBaggageBytes} are allowed: carry an id instead of what it stands for, drop members (\`without\`), or put them into the data of the event`
  return members.some(({ key, properties }) => !token.test(key) || properties.some((one) => !token.test(one.key)))
    ? "expected keys of letters, digits and !#$%&'*+-.^_`|~, at least one of them"
    : undefined
}
