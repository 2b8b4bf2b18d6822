/**
 * What is on the broker of a recurring event: one message in a queue of its own, which the process that is active holds. It says
 * which tick was the last. Every process sends one that knows no tick, now and then: whoever is active drops it if it has a
 * better one, and otherwise the event begins there.
 */
import * as Predicate from "effect/Predicate"
import { textOf } from "../../event/Body.ts"
import * as ControlMessage from "../delivery/ControlMessage.ts"
import type { ControlCopy } from "../delivery/Copies.ts"
import type { Delivery } from "../port/Broker.ts"

export interface Token {
  readonly id: string
  /** When ticks begin: those before are nobody's. In milliseconds since the epoch. */
  readonly since: number
  /** The last tick that is done with, in milliseconds since the epoch. */
  readonly last: number | undefined
  /** The times that `last` is one of. */
  readonly spec: string
}

const kind = "recurring"
const type = "bus.recurring.token"

/** `now` is in milliseconds since the epoch. */
export const write = ({ id, last, since, spec }: Token, subscriber: string, now: number): ControlCopy => {
  const data = { since: iso(since), ...(last !== undefined && { last: iso(last) }), spec }
  return {
    ...ControlMessage.copyOf(type, id, subscriber, now, data),
    headers: { [ControlMessage.header]: kind },
    seconds: 0
  }
}

/** Undefined for what is no token that this release can read. */
export const read = ({ body, headers, properties, trusted }: Delivery): Token | undefined => {
  if (!trusted || headers[ControlMessage.header] !== kind) return undefined
  const data = dataOf(textOf(body))
  if (!Predicate.isObject(data) || !Predicate.isString(data["spec"])) return undefined
  const since = millisOf(data["since"])
  const last = data["last"] === undefined ? undefined : millisOf(data["last"])
  if (since === undefined || (last === undefined && data["last"] !== undefined)) return undefined
  return { id: properties.messageId ?? "", since, last, spec: data["spec"] }
}

/** Which of two is kept: the one that knows the later tick, else the one that began first. */
export const better = (one: Token, other: Token): Token => {
  if (one.last !== undefined || other.last !== undefined) return (one.last ?? -1) >= (other.last ?? -1) ? one : other
  return one.since <= other.since ? one : other
}

const iso = (millis: number): string => new Date(millis).toISOString()

const millisOf = (text: unknown): number | undefined => {
  const millis = Predicate.isString(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(millis) ? undefined : millis
}

const dataOf = (text: string): unknown => {
  try {
    const event: unknown = JSON.parse(text)
    return Predicate.isObject(event) ? event["data"] : undefined
  } catch {
    return undefined
  }
}
