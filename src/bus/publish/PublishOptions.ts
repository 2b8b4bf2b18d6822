/**
 * The options of one publish, and what is wrong with them. Values come from outside of TypeScript too, so each is
 * checked: the broker would answer some by closing the channel, and with it everybody's publishes.
 */
import type * as Duration from "effect/Duration"
import * as Predicate from "effect/Predicate"
import type { Actor } from "../../event/Actor.ts"
import { type Baggage, type BaggageInput, isInput } from "../../event/flow/Baggage.ts"
import * as Limits from "../../event/Limits.ts"
import { nameFault } from "../../event/Name.ts"
import * as Lifetime from "../../event/options/Lifetime.ts"
import { type Headers, maxDelaySeconds } from "../port/Broker.ts"
import * as RuntimeHeaders from "../send/RuntimeHeaders.ts"
import { millisOf, named, remedyOfUnknown, shown } from "../../event/options/OptionNames.ts"

export interface PublishOptions {
  /** The event's id. Give it to publish the same event again after `Unknown`. Default: a new UUIDv7. */
  readonly id?: string
  /** The key of an event whose contract declares none; that of the contract cannot be overridden. */
  readonly key?: string
  readonly correlationId?: string
  /** The id of its cause. Within a handler the default is the event being handled. */
  readonly causationId?: string
  /** Deliver it to its subscribers later. Rounded up to whole seconds, at most 12 days. */
  readonly delay?: Duration.Input
  /**
   * From this long after its publish on no handler starts with it: each subscriber that did not handle it by then has it as a dead
   * letter `Expired`. From 1 millisecond to 3650 days, and longer than `delay`. Default: what the contract says, or never.
   */
  readonly expiresAfter?: Duration.Input
  /** Fail with `Unroutable` when no subscriber is bound. Default false. */
  readonly mandatory?: boolean
  /** Headers for subscribers: strings, finite numbers, booleans; 4 KiB together. */
  readonly headers?: Headers
  /** Longest time until the outcome. Default 15 seconds. */
  readonly timeout?: Duration.Input
  /**
   * Who publishes: the contract's `publishers` judge them, and subscribers see them. Default: `CurrentActor`, which is the service
   * itself where nobody is provided; within a handler subscribers then see the actor of the event being handled. Undefined is
   * the service itself.
   */
  readonly actor?: Actor | undefined
  /** Whose the event is. Default: `CurrentTenant`, within a handler that of the event being handled. Undefined is nobody's. */
  readonly tenant?: string | undefined
  /**
   * Names and values that travel with the event and with what follows from it. Default: `CurrentBaggage`, within a handler that
   * of the delivery. Undefined is none. 180 members and 8 KiB as they are sent.
   */
  readonly baggage?: BaggageInput | undefined
}

/** The broker holds the event safely. */
export interface Confirmed {
  readonly id: string
  /** Whether any subscriber was bound; `"later"` for a delayed event, which is routed when it is due. */
  readonly routed: boolean | "later"
}

/** The options of the bus. */
export const optionNames: ReadonlySet<string> = new Set<string>([
  "id",
  "key",
  "correlationId",
  "causationId",
  "delay",
  "expiresAfter",
  "mandatory",
  "headers",
  "timeout",
  "actor",
  "tenant",
  "baggage"
] satisfies ReadonlyArray<keyof PublishOptions>)

export interface OptionFault {
  readonly path: string
  readonly expected: string
}

/** Options that are no object, or one of them that does not exist or has no value. */
export const unknownFault = (options: unknown, names: ReadonlySet<string> = optionNames): OptionFault | undefined => {
  if (!Predicate.isObject(options)) return { path: "options", expected: `expected an object, not ${shown(options)}` }
  for (const name in options) {
    if (!names.has(name)) return { path: named(name), expected: noSuchOption(name, options[name], names) }
    if (options[name] === null) return { path: name, expected: "expected a value, not null: leave it out" }
  }
  return undefined
}

const noSuchOption = (name: string, value: unknown, names: ReadonlySet<string>): string =>
  `there is no such option (its value is ${shown(value)}). ${remedies.get(name) ?? remedyOfUnknown(name, names)}`

/** Names whose nearest known name is not what was meant. */
const remedies: ReadonlyMap<string, string> = new Map([["at", "Give `delay`, the time from now"]])

/** When an event of this moment expires, in milliseconds since the epoch. `byContract` is in milliseconds. */
export const expiryOf = (
  time: number,
  { expiresAfter }: Pick<PublishOptions, "expiresAfter">,
  byContract: number | undefined
): number | undefined => {
  const lifetime = expiresAfter ?? byContract
  return lifetime === undefined ? undefined : time + Math.floor(millisOf(lifetime))
}

/** The first option that is wrong, and what was expected, or undefined. `byContract` is the contract's `expiresAfter`. */
export const optionFault = (
  id: string,
  key: string | undefined,
  origin: {
    readonly correlationId: string | undefined
    readonly causationId: string | undefined
    readonly actor: Actor | undefined
    readonly tenant?: string | undefined
    readonly baggage?: Baggage | undefined
  },
  options: PublishOptions,
  byContract?: number
): OptionFault | undefined => {
  const { actor, baggage, causationId, correlationId, tenant } = origin
  const path = isBad(id)
    ? "id"
    : key !== undefined && isBad(key)
      ? "key"
      : correlationId !== undefined && isBad(correlationId)
        ? "correlationId"
        : causationId !== undefined && isBad(causationId)
          ? "causationId"
          : actor !== undefined &&
              (!Predicate.isObject(actor) ||
                isBad(actor.id) ||
                isBad(actor.role) ||
                (actor.status !== undefined && isBad(actor.status)))
            ? "actor"
            : tenant !== undefined && isBad(tenant)
              ? "tenant"
              : undefined
  if (path !== undefined) return { path, expected: `expected 1 to ${Limits.maxShortStringBytes} bytes of text` }
  const badBaggage = baggageFault(baggage, options.baggage)
  if (badBaggage !== undefined) return { path: "baggage", expected: badBaggage }
  if (options.delay !== undefined) {
    const seconds = secondsOf(options.delay)
    if (!(seconds >= 0) || seconds > maxDelaySeconds) {
      return {
        path: "delay",
        expected: `expected 0 to ${maxDelaySeconds} seconds (12 days), not ${shown(options.delay)}`
      }
    }
  }
  const lifetime = options.expiresAfter ?? byContract
  if (lifetime !== undefined) {
    const fault = lifetimeFault(lifetime, options.delay)
    if (fault !== undefined) return { path: "expiresAfter", expected: fault }
  }
  if (options.timeout !== undefined && !(secondsOf(options.timeout) > 0)) {
    return { path: "timeout", expected: `expected a duration above 0, not ${shown(options.timeout)}` }
  }
  if (options.mandatory !== undefined && typeof options.mandatory !== "boolean") {
    return { path: "mandatory", expected: `expected true or false, not ${shown(options.mandatory)}` }
  }
  return options.headers === undefined ? undefined : headerFault(options.headers)
}

/** `given` is the option. */
const baggageFault = (baggage: Baggage | undefined, given: unknown): string | undefined =>
  given !== undefined && !isInput(given)
    ? "expected Baggage, or an object whose values are texts: `Baggage.read` reads a header"
    : baggage?.fault

const lifetimeFault = (lifetime: Duration.Input, delay: Duration.Input | undefined): string | undefined => {
  if (!Lifetime.kind.holds(lifetime)) return `expected ${Lifetime.kind.expected}, not ${shown(lifetime)}`
  return delay !== undefined && Math.ceil(secondsOf(delay)) * 1000 >= millisOf(lifetime)
    ? `expected more than the delay of ${shown(delay)}: the event would expire before it is delivered (it lives for ${millisOf(lifetime) / 1000} seconds from its publish on)`
    : undefined
}

const headerFault = (headers: Headers): OptionFault | undefined => {
  let bytes = 0
  if (!Predicate.isObjectOrArray(headers)) return { path: "headers", expected: "expected a plain object" }
  for (const name of Object.keys(headers)) {
    const value: unknown = headers[name]
    const reserved = RuntimeHeaders.userHeaderFault(name)
    if (reserved !== undefined)
      return { path: `headers.${name}`, expected: `expected another name: this one ${reserved}` }
    if (tooLong(name)) return { path: `headers.${name}`, expected: "expected a name of at most 255 bytes" }
    if (!RuntimeHeaders.isHeaderValue(value))
      return { path: `headers.${name}`, expected: "expected a string, a finite number or a boolean" }
    bytes += Buffer.byteLength(name) + (Predicate.isString(value) ? Buffer.byteLength(value) : 8)
  }
  // An own key "__proto__" is invisible to Object.keys of a spread copy, not to this.
  if (Object.getPrototypeOf(headers) !== Object.prototype && Object.getPrototypeOf(headers) !== null) {
    return { path: "headers", expected: "expected a plain object" }
  }
  const count = Object.keys(headers).length
  if (count > Limits.maxReceivedHeaders)
    return { path: "headers", expected: `${count} headers, at most ${Limits.maxReceivedHeaders} are allowed` }
  return bytes > Limits.maxUserHeaderBytes
    ? { path: "headers", expected: `${bytes} bytes of headers, at most ${Limits.maxUserHeaderBytes} are allowed` }
    : undefined
}

/** NaN for a value that is no duration: values from outside of TypeScript reach this. */
export const secondsOf = (input: Duration.Input): number => millisOf(input) / 1000

const isBad = (value: unknown): boolean => typeof value !== "string" || value === "" || tooLong(value)

const tooLong = (text: string): boolean =>
  text.length > Limits.maxShortStringBytes / 3 && Buffer.byteLength(text) > Limits.maxShortStringBytes

/** Why a source cannot be the `source` of events, or undefined. */
export const sourceFault = (source: string): string | undefined =>
  source === "" || tooLong(source) ? "a source is 1 to 255 bytes" : nameFault(source)
