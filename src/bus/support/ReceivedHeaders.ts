/**
 * Bounds on the headers of an event, which any program may have written: an adapter keeps the first ones, and what the
 * runtime itself writes on an event. The rest is dropped before anything holds on to it, and counted.
 */
import { headerText } from "../../event/FieldValue.ts"
import * as Baggage from "../../event/flow/Baggage.ts"
import * as Limits from "../../event/Limits.ts"

type Received = Readonly<Record<string, unknown>>

export interface Bounded {
  readonly headers: Received
  readonly dropped: number
}

/** What publishers of this library write on an event. Each is short. */
const ownNames: ReadonlySet<string> = new Set(["traceparent", "tracestate", "bus-delayed", "bus-signature"])
const maxOwnBytes = 1024
/** The least bytes of a table with too many entries: a name, a type and a value take three. */
const fewBytes = 3 * Limits.maxReceivedHeaders

/** Whether a table of this size can exceed a bound. */
export const mayExceed = (bytes: number): boolean => bytes > fewBytes

/** Undefined when all of them are kept. Baggage has bounds of its own, and keeps the members that are within them. */
export const bound = (headers: Received): Bounded | undefined => {
  const { baggage } = headers
  if (baggage === undefined) return boundRest(headers)
  const header = headerText(baggage)
  const kept = header === undefined ? undefined : Baggage.cut(header)
  const rest: Record<string, unknown> = Object.assign(Object.create(null), headers)
  delete rest["baggage"]
  const bounded = boundRest(rest)
  if (bounded === undefined && kept === header && kept !== undefined) return undefined
  return {
    headers:
      kept === undefined ? (bounded?.headers ?? rest) : Object.assign(bounded?.headers ?? rest, { baggage: kept }),
    dropped: (bounded?.dropped ?? 0) + (kept === header && kept !== undefined ? 0 : 1)
  }
}

const boundRest = (headers: Received): Bounded | undefined => {
  const names = Object.keys(headers)
  if (names.length <= Limits.maxReceivedHeaders && fits(headers, names)) return undefined
  const kept: Record<string, unknown> = Object.create(null)
  let count = 0
  let bytes = 0
  let dropped = 0
  for (const name of names) {
    const value = headers[name]
    const size = Buffer.byteLength(name) + sizeOf(value, Limits.maxReceivedHeaderBytes)
    const isOwn = ownNames.has(name)
    const isKept = isOwn
      ? size <= maxOwnBytes
      : count < Limits.maxReceivedHeaders && bytes + size <= Limits.maxReceivedHeaderBytes
    if (!isKept) {
      dropped++
      continue
    }
    kept[name] = value
    if (isOwn) continue
    count++
    bytes += size
  }
  return dropped === 0 ? undefined : { headers: kept, dropped }
}

/** A bound that needs no look at single characters: UTF-8 takes at most three bytes for each. */
const fits = (headers: Received, names: ReadonlyArray<string>): boolean => {
  let bytes = 0
  for (const name of names) {
    const value = headers[name]
    if (typeof value === "object" && value !== null) return false
    bytes += 3 * (name.length + (typeof value === "string" ? value.length : 0)) + numberBytes
  }
  return bytes <= Limits.maxReceivedHeaderBytes
}

const numberBytes = 8

/** The bytes of a value, about; tables and lists of any depth are looked at until they have more than `most`. */
const sizeOf = (value: unknown, most: number): number => {
  if (typeof value === "string") return Buffer.byteLength(value)
  if (value instanceof Uint8Array) return value.length
  if (typeof value !== "object" || value === null) return numberBytes
  let bytes = 0
  for (const [name, part] of Object.entries(value)) {
    bytes += name.length + sizeOf(part, most - bytes)
    if (bytes > most) return bytes
  }
  return bytes
}
