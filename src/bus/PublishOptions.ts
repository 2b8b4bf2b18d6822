/**
 * What a caller may say about one publish, and what is wrong with it. Values come from outside of
 * TypeScript too, so nothing is believed of them: the broker would answer some with the end of the
 * channel, and with it of everybody's publishes.
 */
import { Duration, Option } from "effect"
import type { Actor } from "../event/Actor.ts"
import * as Limits from "../event/Limits.ts"
import { nameFault } from "../event/Name.ts"
import { type Headers, maxDelaySeconds } from "./Broker.ts"
import * as RuntimeHeaders from "./RuntimeHeaders.ts"

export interface PublishOptions {
  /** The event's id. Give it to publish the same event again after `Unknown`. Default: a new UUIDv7. */
  readonly id?: string
  /** Overrides the contract's key. */
  readonly key?: string
  readonly correlationId?: string
  /** The id of what caused it. Within a handler the default is the event being handled. */
  readonly causationId?: string
  /** Hand it to its subscribers later; rounded up to whole seconds, at most 12 days. */
  readonly delay?: Duration.Input
  /** Fail with `Unroutable` when no subscriber is bound. Default false. */
  readonly mandatory?: boolean
  /** Headers for subscribers: strings, finite numbers, booleans; 4 KiB together. */
  readonly headers?: Headers
  /** Longest time until the outcome. Default 15 seconds. */
  readonly timeout?: Duration.Input
}

/** The broker holds the event safely. */
export interface Confirmed {
  readonly id: string
  /** Whether any subscriber was bound; `"later"` for delayed events, which are routed when due. */
  readonly routed: boolean | "later"
}

/** The first thing that is wrong, and where. */
export const optionFault = (
  id: string,
  key: string | undefined,
  origin: {
    readonly correlationId: string | undefined
    readonly causationId: string | undefined
    readonly actor: Actor | undefined
  },
  options: PublishOptions
): { readonly path: string; readonly expected: string } | undefined => {
  const { correlationId, causationId, actor } = origin
  const path = isBad(id)
    ? "id"
    : key !== undefined && isBad(key)
      ? "key"
      : correlationId !== undefined && isBad(correlationId)
        ? "correlationId"
        : causationId !== undefined && isBad(causationId)
          ? "causationId"
          : actor !== undefined &&
              (isBad(actor.id) || isBad(actor.role) || (actor.status !== undefined && isBad(actor.status)))
            ? "actor"
            : undefined
  if (path !== undefined) return { path, expected: `expected 1 to ${Limits.shortBytes} bytes of text` }
  if (options.delay !== undefined) {
    const seconds = secondsOf(options.delay)
    if (!(seconds >= 0) || seconds > maxDelaySeconds) {
      return { path: "delay", expected: `expected 0 to ${maxDelaySeconds} seconds (12 days)` }
    }
  }
  if (options.timeout !== undefined && !(secondsOf(options.timeout) > 0)) {
    return { path: "timeout", expected: "expected a duration above 0" }
  }
  return options.headers === undefined ? undefined : headerFault(options.headers)
}

const headerFault = (headers: Headers): { readonly path: string; readonly expected: string } | undefined => {
  let bytes = 0
  if (typeof headers !== "object" || headers === null) return { path: "headers", expected: "expected a plain object" }
  for (const name of Object.keys(headers)) {
    const value: unknown = headers[name]
    const reserved = RuntimeHeaders.userHeaderFault(name)
    if (reserved !== undefined)
      return { path: `headers.${name}`, expected: `expected another name: this one ${reserved}` }
    if (tooLong(name)) return { path: `headers.${name}`, expected: "expected a name of at most 255 bytes" }
    if (!RuntimeHeaders.isHeaderValue(value))
      return { path: `headers.${name}`, expected: "expected a string, a finite number or a boolean" }
    bytes += Buffer.byteLength(name) + (typeof value === "string" ? Buffer.byteLength(value) : 8)
  }
  // An own key "__proto__" is invisible to Object.keys of a spread copy, not to this.
  if (Object.getPrototypeOf(headers) !== Object.prototype && Object.getPrototypeOf(headers) !== null) {
    return { path: "headers", expected: "expected a plain object" }
  }
  return bytes > Limits.userHeaderBytes
    ? { path: "headers", expected: `${bytes} bytes of headers, at most ${Limits.userHeaderBytes} are allowed` }
    : undefined
}

/** NaN for what is no duration at all: values from outside of TypeScript reach here. */
export const secondsOf = (input: Duration.Input): number =>
  // Effect reads NaN as no time at all, which would publish at once.
  Number.isNaN(input)
    ? Number.NaN
    : Option.match(Duration.fromInput(input), { onNone: () => Number.NaN, onSome: Duration.toSeconds })

const isBad = (value: unknown): boolean => typeof value !== "string" || value === "" || tooLong(value)

const tooLong = (text: string): boolean =>
  text.length > Limits.shortBytes / 3 && Buffer.byteLength(text) > Limits.shortBytes

/** Why a source cannot be the `source` of events, or undefined. */
export const sourceFault = (source: string): string | undefined =>
  source === "" || tooLong(source) ? "a source is 1 to 255 bytes" : nameFault(source)
