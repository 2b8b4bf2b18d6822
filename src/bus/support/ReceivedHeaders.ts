/**
 * Bounds on the headers of an event, which any program may have written: an adapter keeps the first ones, and what the
 * runtime itself writes on an event. The rest is dropped before anything holds on to it, and counted.
 */
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

/** Undefined when all of them are kept. */
export const bound = (headers: Received): Bounded | undefined => {
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
