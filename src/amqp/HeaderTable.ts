/**
 * Tables of headers. Whether the wire takes one: a number that is not finite, or a table that does not fit
 * into one frame of the size that was agreed on, closes the whole connection, so both are told before
 * anything is sent. And what a received one holds. It does not judge what the headers say; that is the bus's.
 */
import type { Headers } from "../bus/Broker.ts"

/** What else is in the frame: five short texts of 255 bytes, fixed fields, the frame itself. */
const besides = 1536

/** Largest header table for a frame size; the broker may have asked for small frames. */
export const limitFor = (frameMax: number): number => Math.max(0, frameMax - besides)

/** Length of the key, type, and a number or the length of a text. */
const overhead = 10

/** What is wrong with it, for people. */
export const fault = (headers: Headers, limit: number): string | undefined => {
  let bytes = 0
  for (const key of Object.keys(headers)) {
    const value = headers[key]
    if (typeof value === "number" && !Number.isFinite(value))
      return "a header is a number that is not finite: leave it out, or send it as a text"
    bytes += 3 * (key.length + (typeof value === "string" ? value.length : 0)) + overhead
  }
  // UTF-8 takes three bytes for a unit of UTF-16 at most: nearly every table is small enough by that alone.
  return bytes <= limit || exactly(headers) <= limit
    ? undefined
    : `its headers have more than ${limit} bytes: shorten them`
}

const exactly = (headers: Headers): number =>
  Object.entries(headers).reduce(
    (sum, [key, value]) =>
      sum + Buffer.byteLength(key) + (typeof value === "string" ? Buffer.byteLength(value) : 0) + overhead,
    0
  )

/** Headers of a message that has none. Without a prototype, a key "__proto__" is a key like any other. */
export const none: Readonly<Record<string, unknown>> = Object.freeze(Object.create(null))

/** The headers between two places, without "__proto__"; undefined when there is one that is no plain value. */
export const read = (bytes: Buffer, from: number, end: number): Readonly<Record<string, unknown>> | undefined => {
  if (from === end) return none
  const headers: Record<string, unknown> = Object.create(null)
  for (let at = from; at < end;) {
    const nameEnd = at + 1 + (bytes[at] ?? 0)
    const valueAt = nameEnd + 1
    let valueEnd: number
    let value: unknown
    switch (bytes[nameEnd]) {
      case 0x53: {
        // S
        if (valueAt + 4 > end) return undefined
        valueEnd = valueAt + 4 + bytes.readUInt32BE(valueAt)
        if (valueEnd <= end) value = bytes.toString("utf8", valueAt + 4, valueEnd)
        break
      }
      case 0x74: // t
        valueEnd = valueAt + 1
        value = bytes[valueAt] !== 0
        break
      case 0x62: // b
        valueEnd = valueAt + 1
        if (valueEnd <= end) value = bytes.readInt8(valueAt)
        break
      case 0x73: // s
        valueEnd = valueAt + 2
        if (valueEnd <= end) value = bytes.readInt16BE(valueAt)
        break
      case 0x49: // I
        valueEnd = valueAt + 4
        if (valueEnd <= end) value = bytes.readInt32BE(valueAt)
        break
      case 0x6c: // l
        valueEnd = valueAt + 8
        if (valueEnd <= end) value = Number(bytes.readBigInt64BE(valueAt))
        break
      case 0x64: // d
        valueEnd = valueAt + 8
        if (valueEnd <= end) value = bytes.readDoubleBE(valueAt)
        break
      default:
        return undefined
    }
    if (valueEnd > end) return undefined
    const name = bytes.toString("utf8", at + 1, nameEnd)
    if (name !== "__proto__") headers[name] = value
    at = valueEnd
  }
  return headers
}
