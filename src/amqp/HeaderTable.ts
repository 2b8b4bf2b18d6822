/**
 * Whether the wire takes a header table. A number that is not finite, or a table that does not fit into
 * one frame of the size that was agreed on, closes the whole connection: both are told before anything
 * is sent. It does not judge what the headers say; that is the bus's.
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
