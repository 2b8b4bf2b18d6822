/**
 * The three frames of a publish, as AMQP 0-9-1 has them (https://www.rabbitmq.com/amqp-0-9-1-protocol.pdf, 2.3
 * and 4.2; tables as in https://www.rabbitmq.com/amqp-0-9-1-errata.html), written into one buffer for all
 * messages of a turn. amqplib makes five buffers for each and writes them one by one, which costs more than
 * everything else about a publish; the bytes are the same.
 */
import type { Headers, Outgoing, Properties } from "../bus/Broker.ts"
import { bytesOf } from "../event/Body.ts"
import { frameEnd, frameEndMark, frameHeader } from "./MethodFrame.ts"

export interface Frames {
  /**
   * Writes a message behind those that wait. Throws, and writes nothing, when a value is none that the wire
   * can carry: a RangeError for headers that are too large, else a TypeError.
   */
  readonly write: (method: Buffer, message: Outgoing) => void
  /** Sends what was written. */
  readonly flush: () => void
  /** What was not sent never will be. */
  readonly discard: () => void
}

const headerFrame = 2
const bodyFrame = 3
const persistent = 2
/** Where the header frame has the lower half of the size of the body. */
const bodySizeAt = frameHeader + 8
const slabBytes = 64 * 1024
/** Beyond this a body is sent as it is. */
const copiedBytes = 8 * 1024
const encoding = "utf-8"
const nothing = (): void => {}
/** Content type, encoding, headers, delivery mode, message id, timestamp, type, app id. */
const flags = 0x8000 | 0x4000 | 0x2000 | 0x1000 | 0x0080 | 0x0040 | 0x0020 | 0x0008
const correlationFlag = 0x0400

/** Many messages are written into it before it is sent. */
interface Slab {
  readonly bytes: Buffer
  /** How often something of it was sent that is not on the wire yet. */
  sending: number
}

/** `send` takes bytes in order, is told whether a frame ends with them, and says when it needs them no more. */
export const make = (
  channel: number,
  frameMax: number,
  send: (bytes: Buffer, whole: boolean, written: () => void) => void
): Frames => {
  const mostOfBody = (frameMax === 0 ? slabBytes : frameMax) - frameHeader - frameEnd
  let current: Slab = { bytes: Buffer.alloc(0), sending: 0 }
  let slab = current.bytes
  let start = 0
  let end = 0
  let at = 0

  const hand = (whole: boolean): void => {
    if (end === start) return
    const sent = current
    sent.sending++
    const written = slab.subarray(start, end)
    start = end
    send(written, whole, () => {
      sent.sending--
    })
  }
  const flush = (): void => hand(true)
  /** New memory costs more than what is written into it: the system has to find it first. */
  const room = (bytes: number): void => {
    if (start === end && current.sending === 0 && slab.length >= bytes) {
      start = end = 0
      return
    }
    if (slab.length - end >= bytes) return
    flush()
    if (current.sending > 0 || slab.length < bytes) {
      slab = Buffer.allocUnsafeSlow(Math.max(slabBytes, bytes))
      current = { bytes: slab, sending: 0 }
    }
    start = end = 0
  }

  const uint16 = (value: number): void => {
    slab[at] = value >>> 8
    slab[at + 1] = value
    at += 2
  }
  const uint32 = (value: number, where: number): void => {
    slab[where] = value >>> 24
    slab[where + 1] = value >>> 16
    slab[where + 2] = value >>> 8
    slab[where + 3] = value
  }
  /** The bytes of a text; letter by letter, since most are short and of ASCII. */
  const text = (value: string): number => {
    const from = at
    for (let i = 0; i < value.length; i++) {
      const code = value.charCodeAt(i)
      if (code > 0x7f) {
        at = from + slab.write(value, from)
        return at - from
      }
      slab[at++] = code
    }
    return at - from
  }
  const short = (value: string): void => {
    if (typeof value !== "string") throw new TypeError("a property is no text")
    const length = at++
    const bytes = text(value)
    if (bytes > 255) throw new TypeError("a property has more than 255 bytes")
    slab[length] = bytes
  }
  const table = (headers: Headers): void => {
    const from = at
    at += 4
    for (const name of Object.keys(headers)) {
      const value: unknown = headers[name]
      if (value === undefined) continue
      const length = at++
      const bytes = text(name)
      if (bytes > 255) throw new RangeError("the name of a header has more than 255 bytes")
      slab[length] = bytes
      field(value)
    }
    uint32(at - from - 4, from)
  }
  const field = (value: unknown): void => {
    switch (typeof value) {
      case "string": {
        slab[at] = 0x53 // S
        const length = at + 1
        at += 5
        return uint32(text(value), length)
      }
      case "boolean": {
        slab[at] = 0x74 // t
        slab[at + 1] = value ? 1 : 0
        at += 2
        return
      }
      case "number":
        return number(value)
      default:
        throw new TypeError("a header is no text, number or boolean")
    }
  }
  /** In the smallest type that holds it, as amqplib does. */
  const number = (value: number): void => {
    if (value >= 2 ** 63 || (Math.abs(value) < 2 ** 50 && !Number.isInteger(value))) {
      slab[at] = 0x64 // d
      at = slab.writeDoubleBE(value, at + 1)
    } else if (value >= -0x80 && value < 0x80) {
      slab[at] = 0x62 // b
      at = slab.writeInt8(value, at + 1)
    } else if (value >= -0x8000 && value < 0x8000) {
      slab[at] = 0x73 // s
      at = slab.writeInt16BE(value, at + 1)
    } else if (value >= -0x80000000 && value < 0x80000000) {
      slab[at] = 0x49 // I
      at = slab.writeInt32BE(value, at + 1)
    } else {
      slab[at] = 0x6c // l
      at = slab.writeBigInt64BE(BigInt(value), at + 1)
    }
  }

  const bodyHeader = (bytes: number, where: number): void => {
    slab[where] = bodyFrame
    slab[where + 1] = channel >>> 8
    slab[where + 2] = channel
    uint32(bytes, where + 3)
  }
  /** All but the size of the body, which is put in when it is known. */
  const header = (properties: Properties, headers: Headers): void => {
    const { appId, contentType, correlationId, messageId, type } = properties
    const timestamp = Math.floor(properties.timestamp / 1000)
    if (!Number.isSafeInteger(timestamp) || timestamp < 0) throw new TypeError("a timestamp is none since 1970")
    const from = at
    slab[at++] = headerFrame
    uint16(channel)
    at += 4
    uint16(60)
    uint16(0)
    uint32(0, at)
    at += 8
    uint16(correlationId === undefined ? flags : flags | correlationFlag)
    short(contentType)
    short(encoding)
    table(headers)
    slab[at++] = persistent
    if (correlationId !== undefined) short(correlationId)
    short(messageId)
    uint32(Math.floor(timestamp / 2 ** 32), at)
    uint32(timestamp >>> 0, at + 4)
    at += 8
    short(type)
    short(appId)
    uint32(at - from - frameHeader, from + 3)
    slab[at++] = frameEndMark
  }

  const begin = (method: Buffer, bodyBytes: number, properties: Properties, headers: Headers): void => {
    room(method.length + mostOf(properties, headers) + bodyBytes + frameHeader + frameEnd)
    at = end
    slab.set(method, at)
    slab[at + 1] = channel >>> 8
    slab[at + 2] = channel
    at += method.length
  }
  /** To copy the body would cost more than to send it as it is. */
  const writeLarge = (method: Buffer, body: Buffer, properties: Properties, headers: Headers): void => {
    begin(method, 0, properties, headers)
    const sizeAt = at + bodySizeAt
    header(properties, headers)
    uint32(body.length, sizeAt)
    end = at
    for (let from = 0; from < body.length; from += mostOfBody) {
      const piece = body.subarray(from, from + mostOfBody)
      room(frameHeader)
      bodyHeader(piece.length, end)
      end += frameHeader
      hand(false)
      send(piece, false, nothing)
      room(frameEnd)
      slab[end++] = frameEndMark
      // Another channel may send next, and a frame must be whole by then.
      flush()
    }
  }

  return {
    write: (method, message) => {
      const { body, headers, properties } = message
      // Callers come from outside of TypeScript too.
      if (typeof body !== "string" && !Buffer.isBuffer(body)) throw new TypeError("a body is neither bytes nor a text")
      // A letter takes three bytes at most.
      const most = typeof body === "string" ? 3 * body.length : body.length
      if (most > copiedBytes || most > mostOfBody) return writeLarge(method, bytesOf(body), properties, headers)
      begin(method, most, properties, headers)
      const sizeAt = at + bodySizeAt
      header(properties, headers)
      const from = at
      at += frameHeader
      if (typeof body === "string") at += slab.write(body, at)
      else {
        slab.set(body, at)
        at += body.length
      }
      const bytes = at - from - frameHeader
      uint32(bytes, sizeAt)
      // An empty body has no frame.
      if (bytes === 0) at = from
      else {
        bodyHeader(bytes, from)
        slab[at++] = frameEndMark
      }
      end = at
    },
    flush,
    discard: () => {
      start = end
    }
  }
}

/** At most so many bytes: three for a letter. */
const mostOf = ({ appId, contentType, correlationId, messageId, type }: Properties, headers: Headers): number => {
  let letters = contentType.length + messageId.length + type.length + appId.length + (correlationId?.length ?? 0)
  let fixed = 64 + encoding.length
  for (const name of Object.keys(headers)) {
    const value = headers[name]
    letters += name.length + (typeof value === "string" ? value.length : 0)
    fixed += 14
  }
  if (Number.isNaN(letters)) throw new TypeError("a property is no text")
  return fixed + 3 * letters
}
