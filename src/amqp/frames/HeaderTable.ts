/**
 * Tables of headers: whether the wire can carry one, and how a received one is read. A number that is not finite, or a
 * table that does not fit into one frame, closes the whole connection; so both are found before anything is sent. The
 * meaning of headers belongs to the bus.
 */
import type { Headers } from "../../bus/port/Broker.ts"

/** The rest of the frame: five short texts of 255 bytes, fixed fields, the frame itself. */
const otherBytes = 1536

/** The largest header table for a frame size; the broker may have asked for small frames. */
export const limitFor = (maxFrameBytes: number): number => Math.max(0, maxFrameBytes - otherBytes)

/** The length of the key, the type, and a number or the length of a text. */
const overhead = 10

/** Why the wire cannot carry this table; undefined when it can. */
export const fault = (headers: Headers, limit: number): string | undefined => {
  let bytes = 0
  for (const key of Object.keys(headers)) {
    const value = headers[key]
    if (typeof value === "number" && !Number.isFinite(value))
      return "a header is a number that is not finite: leave it out, or send it as a text"
    bytes += 3 * (key.length + (typeof value === "string" ? value.length : 0)) + overhead
  }
  // UTF-8 takes at most three bytes for a unit of UTF-16: nearly every table is small enough by this bound alone.
  return bytes <= limit || exactBytes(headers) <= limit
    ? undefined
    : `its headers have more than ${limit} bytes: shorten them`
}

const exactBytes = (headers: Headers): number =>
  Object.entries(headers).reduce(
    (sum, [key, value]) =>
      sum + Buffer.byteLength(key) + (typeof value === "string" ? Buffer.byteLength(value) : 0) + overhead,
    0
  )

/** The headers of a message without headers. It has no prototype, so "__proto__" is a key like any other. */
export const none: Readonly<Record<string, unknown>> = Object.freeze(Object.create(null))

/** The headers between two positions, without "__proto__"; undefined when one of them is not a plain value. */
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
