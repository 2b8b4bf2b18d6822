/**
 * The three frames of a publish, as AMQP 0-9-1 defines them (https://www.rabbitmq.com/amqp-0-9-1-protocol.pdf, 2.3),
 * written into one buffer for all messages of a turn. amqplib makes five buffers for each message and writes them
 * one by one, which costs more than everything else about a publish; the bytes are the same.
 */
import type { Headers, Outgoing, Properties } from "../../bus/port/Broker.ts"
import { bytesOf } from "../../event/Body.ts"
import { FieldWriter } from "./FieldWriter.ts"
import { frameEnd, frameEndMark, frameHeader } from "./MethodFrame.ts"

const headerFrame = 2
const bodyFrame = 3
const persistent = 2
const basicClass = 60
/** Where the header frame has the lower half of the size of the body. */
const bodySizeAt = frameHeader + 8
const slabBytes = 64 * 1024
/** Larger bodies are sent as they are. */
const copiedBytes = 8 * 1024
const encoding = "utf-8"
/** Content type, encoding, headers, delivery mode, message id, timestamp, type, app id. */
const flags = 0x8000 | 0x4000 | 0x2000 | 0x1000 | 0x0080 | 0x0040 | 0x0020 | 0x0008
const correlationFlag = 0x0400
const nothing = (): void => {}

/** Takes bytes in order; `whole` is whether a frame ends with them. Calls `written` when they are on the wire. */
export type Send = (bytes: Buffer, whole: boolean, written: () => void) => void

/** A buffer that many messages are written into before it is sent. */
interface Slab {
  readonly bytes: Buffer
  /** How many parts of it were sent and are not on the wire yet. */
  sending: number
}

export class Frames {
  private readonly channel: number
  private readonly largestBody: number
  private readonly send: Send
  private readonly out = new FieldWriter()
  private slab: Slab = { bytes: this.out.bytes, sending: 0 }
  /** The part of the slab that is written and not sent. */
  private start = 0
  private end = 0

  constructor(channel: number, frameMax: number, send: Send) {
    this.channel = channel
    this.largestBody = (frameMax === 0 ? slabBytes : frameMax) - frameHeader - frameEnd
    this.send = send
  }

  /**
   * Writes a message behind the ones that wait. When the wire cannot carry one of its values, it throws and writes
   * nothing: a RangeError for headers that are too large, else a TypeError.
   */
  write(method: Buffer, message: Outgoing): void {
    const { body } = message
    // Callers may not be TypeScript.
    if (typeof body !== "string" && !Buffer.isBuffer(body)) throw new TypeError("a body is neither bytes nor a text")
    // A character takes three bytes at most.
    const most = typeof body === "string" ? 3 * body.length : body.length
    if (most > copiedBytes || most > this.largestBody) this.writeLarge(method, bytesOf(body), message)
    else this.writeCopied(method, body, most, message)
  }

  /** Sends the messages that wait. */
  flush(): void {
    this.hand(true)
  }

  /** Drops the messages that wait. */
  discard(): void {
    this.start = this.end
  }

  private writeCopied(method: Buffer, body: string | Buffer, most: number, message: Outgoing): void {
    const { out } = this
    this.begin(method, most, message)
    const sizeAt = out.at + bodySizeAt
    this.header(message)
    const from = out.at
    const bodyAt = from + frameHeader
    let bytes = body.length
    if (typeof body === "string") bytes = out.bytes.write(body, bodyAt)
    else out.bytes.set(body, bodyAt)
    out.putUint32(bytes, sizeAt)
    // An empty body has no frame.
    if (bytes > 0) {
      this.frame(bodyFrame, bytes, from)
      out.at = bodyAt + bytes
      out.uint8(frameEndMark)
    }
    this.end = out.at
  }

  /** A large body is sent as it is: to copy it would cost more. */
  private writeLarge(method: Buffer, body: Buffer, message: Outgoing): void {
    const { largestBody, out } = this
    this.begin(method, 0, message)
    const sizeAt = out.at + bodySizeAt
    this.header(message)
    out.putUint32(body.length, sizeAt)
    this.end = out.at
    for (let from = 0; from < body.length; from += largestBody) {
      const piece = body.subarray(from, from + largestBody)
      this.makeRoom(frameHeader)
      this.frame(bodyFrame, piece.length, this.end)
      this.end += frameHeader
      this.hand(false)
      this.send(piece, false, nothing)
      this.makeRoom(frameEnd)
      out.bytes[this.end++] = frameEndMark
      // Another channel may send next, and a frame must be whole by then.
      this.hand(true)
    }
  }

  /** Writes the method frame, with room behind it for the rest. */
  private begin(method: Buffer, bodyBytes: number, { headers, properties }: Outgoing): void {
    const { channel, out } = this
    this.makeRoom(method.length + largest(properties, headers) + bodyBytes + frameHeader + frameEnd)
    const at = this.end
    out.bytes.set(method, at)
    out.bytes[at + 1] = channel >>> 8
    out.bytes[at + 2] = channel
    out.at = at + method.length
  }

  /** Writes the header frame, all but the size of the body, which is put in when it is known. */
  private header({ headers, properties }: Outgoing): void {
    const { out } = this
    const { correlationId } = properties
    const timestamp = Math.floor(properties.timestamp / 1000)
    if (!Number.isSafeInteger(timestamp) || timestamp < 0) throw new TypeError("a timestamp is not a time since 1970")
    const from = out.at
    out.at += frameHeader
    out.uint16(basicClass)
    out.uint16(0)
    out.uint32(0)
    out.uint32(0)
    out.uint16(correlationId === undefined ? flags : flags | correlationFlag)
    out.shortText(properties.contentType)
    out.shortText(properties.contentEncoding ?? encoding)
    out.table(headers)
    out.uint8(persistent)
    if (correlationId !== undefined) out.shortText(correlationId)
    out.shortText(properties.messageId)
    out.uint32(Math.floor(timestamp / 2 ** 32))
    out.uint32(timestamp >>> 0)
    out.shortText(properties.type)
    out.shortText(properties.appId)
    this.frame(headerFrame, out.at - from - frameHeader, from)
    out.uint8(frameEndMark)
  }

  /** Writes how a frame begins. */
  private frame(type: number, bytes: number, at: number): void {
    const { channel, out } = this
    out.bytes[at] = type
    out.bytes[at + 1] = channel >>> 8
    out.bytes[at + 2] = channel
    out.putUint32(bytes, at + 3)
  }

  /** A new slab costs more than writing into it: a slab is used again once all of it is on the wire. */
  private makeRoom(bytes: number): void {
    const { slab } = this
    if (this.start === this.end && slab.sending === 0 && slab.bytes.length >= bytes) {
      this.start = this.end = 0
      return
    }
    if (slab.bytes.length - this.end >= bytes) return
    this.hand(true)
    if (slab.sending > 0 || slab.bytes.length < bytes) {
      this.slab = { bytes: Buffer.allocUnsafeSlow(Math.max(slabBytes, bytes)), sending: 0 }
      this.out.bytes = this.slab.bytes
    }
    this.start = this.end = 0
  }

  private hand(whole: boolean): void {
    const { end, slab, start } = this
    if (end === start) return
    slab.sending++
    this.start = end
    this.send(slab.bytes.subarray(start, end), whole, () => {
      slab.sending--
    })
  }
}

/** An upper bound of the bytes of a header frame: three for each character. */
const largest = (properties: Properties, headers: Headers): number => {
  const { appId, contentEncoding = encoding, contentType, correlationId, messageId, type } = properties
  let characters = contentType.length + messageId.length + type.length + appId.length + (correlationId?.length ?? 0)
  let fixed = 64 + 3 * contentEncoding.length
  for (const name of Object.keys(headers)) {
    const value = headers[name]
    characters += name.length + (typeof value === "string" ? value.length : 0)
    fixed += 14
  }
  if (Number.isNaN(characters)) throw new TypeError("a property is not a text")
  return fixed + 3 * characters
}
