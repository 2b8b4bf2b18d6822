/**
 * Reads deliveries straight from the received bytes of a connection, as AMQP 0-9-1 defines them
 * (https://www.rabbitmq.com/amqp-0-9-1-protocol.pdf, 2.3 and 4.2; tables as in
 * https://www.rabbitmq.com/amqp-0-9-1-errata.html): one pass over the three frames of a message, where amqplib
 * makes buffers and objects of each.
 *
 * It takes messages that lie there whole and are of the usual form. Everything else, and every message in
 * pieces, is left to amqplib, which brings the same message in its own way. So order is kept and nothing is
 * refused here.
 */
import type { Channel } from "amqplib"
import * as AmqplibInternals from "../AmqplibInternals.ts"
import * as Limits from "../../event/Limits.ts"
import * as HeaderTable from "../frames/HeaderTable.ts"
import { frameEnd, frameEndMark, frameHeader } from "../frames/MethodFrame.ts"
import { uint16, uint32, uint64 } from "../frames/ReceivedBytes.ts"
import { millisOf, ReceivedMessage, ReceivedProperties } from "./ReceivedMessage.ts"

const methodFrame = 1
const headerFrame = 2
const bodyFrame = 3
const basicClass = 60
/** Class 60, method 60. */
const deliver = 0x003c003c
/** Class, weight, size of the body, flags. */
const fixedHeader = 14
const empty = Buffer.alloc(0)

/** The parsers of connections. */
const parsers = new WeakMap<object, DeliveryParser>()

/**
 * Hands the deliveries of a channel with one consumer to `take`, until the channel closes. amqplib brings the ones
 * that are left to it. `fail` is called when a delivery cannot be read, or when `take` throws.
 */
export const consume = (
  channel: Channel,
  take: (message: ReceivedMessage) => void,
  fail: (error: unknown) => void
): void => {
  const { connection } = channel
  const wire = new AmqplibInternals.ChannelWire(channel)
  let parser = parsers.get(connection)
  if (parser === undefined) {
    const made = new DeliveryParser()
    parser = made
    parsers.set(connection, made)
    wire.readFirst((bytes) => made.parse(bytes))
  }
  const { consumers } = parser
  consumers.set(wire.number, new Consumer(wire, take, fail))
  // The number is given to the next channel.
  channel.once("close", () => consumers.delete(wire.number))
}

class Consumer {
  readonly wire: AmqplibInternals.ChannelWire
  readonly take: (message: ReceivedMessage) => void
  readonly fail: (error: unknown) => void
  readonly exchange = new RepeatedText()
  readonly routingKey = new RepeatedText()
  readonly contentType = new RepeatedText()
  readonly contentEncoding = new RepeatedText()
  readonly type = new RepeatedText()
  readonly appId = new RepeatedText()

  constructor(
    wire: AmqplibInternals.ChannelWire,
    take: (message: ReceivedMessage) => void,
    fail: (error: unknown) => void
  ) {
    this.wire = wire
    this.take = take
    this.fail = fail
  }
}

class DeliveryParser {
  /** By the number of their channel. */
  readonly consumers = new Map<number, Consumer>()
  /** The message that is read. */
  private bytes: Buffer = empty
  private at = 0
  private headers = HeaderTable.none
  private headerBytes = 0

  /** Takes the messages that lie at the beginning, and returns how many bytes they have. */
  parse(bytes: Buffer): number {
    let at = 0
    for (;;) {
      const end = this.next(bytes, at)
      if (end === at) return at
      at = end
    }
  }

  /** Where the message that begins at `start` ends; `start` itself when it is left to amqplib. */
  private next(bytes: Buffer, start: number): number {
    const { length } = bytes
    if (length - start < frameHeader + 4 || bytes[start] !== methodFrame) return start
    if (uint32(bytes, start + frameHeader) !== deliver) return start
    const channel = uint16(bytes, start + 1)
    const consumer = this.consumers.get(channel)
    if (consumer === undefined || !consumer.wire.canReceive()) return start
    const methodEnd = start + frameHeader + uint32(bytes, start + 3)
    const header = methodEnd + frameEnd
    if (length < header + frameHeader + fixedHeader) return start
    if (bytes[methodEnd] !== frameEndMark || bytes[header] !== headerFrame || uint16(bytes, header + 1) !== channel)
      return start
    const headerEnd = header + frameHeader + uint32(bytes, header + 3)
    if (length <= headerEnd || bytes[headerEnd] !== frameEndMark) return start
    const contents = header + frameHeader
    if (uint16(bytes, contents) !== basicClass || uint32(bytes, contents + 4) !== 0) return start
    const size = uint32(bytes, contents + 8)
    let end = headerEnd + frameEnd
    let body: Buffer = empty
    if (size > 0) {
      const bodyAt = end + frameHeader
      const bodyEnd = bodyAt + size
      if (length <= bodyEnd || bytes[end] !== bodyFrame || bytes[bodyEnd] !== frameEndMark) return start
      if (uint16(bytes, end + 1) !== channel || uint32(bytes, end + 3) !== size) return start
      body = bytes.subarray(bodyAt, bodyEnd)
      end = bodyEnd + frameEnd
    }
    try {
      const message = this.read(consumer, bytes, start + frameHeader + 4, methodEnd, contents + 12, headerEnd, body)
      if (message === undefined) return start
      consumer.take(message)
    } catch (error) {
      // Any further, it would end the connection and all its consumers.
      consumer.fail(error)
    }
    return end
  }

  /** Undefined for a message that is not of the usual form. */
  private read(
    consumer: Consumer,
    bytes: Buffer,
    methodAt: number,
    methodEnd: number,
    flagsAt: number,
    headerEnd: number,
    body: Buffer
  ): ReceivedMessage | undefined {
    this.bytes = bytes
    this.at = methodAt
    // The tag of the consumer, which is the only one of its channel.
    this.skipText()
    const deliveryTag = this.uint64()
    const redelivered = ((bytes[this.at++] ?? 0) & 1) === 1
    const exchange = this.repeatedText(consumer.exchange)
    const routingKey = this.repeatedText(consumer.routingKey)
    if (this.at !== methodEnd) return undefined
    this.at = flagsAt
    const properties = this.readProperties(consumer, headerEnd)
    if (properties === undefined) return undefined
    const { headerBytes, headers } = this
    return new ReceivedMessage(deliveryTag, redelivered, exchange, routingKey, body, properties, headers, headerBytes)
  }

  private readProperties(consumer: Consumer, headerEnd: number): ReceivedProperties | undefined {
    const flags = uint16(this.bytes, this.at)
    this.at += 2
    this.headers = HeaderTable.none
    this.headerBytes = 0
    const contentType = (flags & 0x8000) === 0 ? undefined : this.repeatedText(consumer.contentType)
    const contentEncoding = (flags & 0x4000) === 0 ? undefined : this.repeatedText(consumer.contentEncoding)
    if ((flags & 0x2000) !== 0 && !this.readHeaders(headerEnd)) return undefined
    if ((flags & 0x1000) !== 0) this.at++ // delivery mode
    if ((flags & 0x0800) !== 0) this.at++ // priority
    const correlationId = (flags & 0x0400) === 0 ? undefined : this.text()
    if ((flags & 0x0200) !== 0) this.skipText() // reply to
    if ((flags & 0x0100) !== 0) this.skipText() // expiration
    const messageId = (flags & 0x0080) === 0 ? undefined : this.text()
    const timestamp = (flags & 0x0040) === 0 ? undefined : millisOf(this.uint64())
    const type = (flags & 0x0020) === 0 ? undefined : this.repeatedText(consumer.type)
    if ((flags & 0x0010) !== 0) this.skipText() // user id
    const appId = (flags & 0x0008) === 0 ? undefined : this.repeatedText(consumer.appId)
    if ((flags & 0x0004) !== 0) this.skipText() // cluster id
    // The lowest bit says that there are more flags; AMQP 0-9-1 defines none.
    if (this.at !== headerEnd || (flags & 0x0003) !== 0) return undefined
    return new ReceivedProperties(messageId, type, timestamp, appId, correlationId, contentType, contentEncoding)
  }

  /** False for a table that is left to amqplib. */
  private readHeaders(headerEnd: number): boolean {
    const from = this.at + 4
    const end = from + uint32(this.bytes, this.at)
    const headers = end > headerEnd ? undefined : HeaderTable.read(this.bytes, from, end)
    if (headers === undefined) return false
    this.headers = headers
    this.headerBytes = end - from
    this.at = end
    return true
  }

  private uint64(): number {
    const { at, bytes } = this
    this.at = at + 8
    return uint64(bytes, at)
  }

  private text(): string {
    const { at } = this
    this.skipText()
    return short(this.bytes, at)
  }

  private repeatedText(known: RepeatedText): string {
    const { at } = this
    this.skipText()
    return known.read(this.bytes, at)
  }

  private skipText(): void {
    this.at += 1 + (this.bytes[this.at] ?? 0)
  }
}

/** A short text that is mostly the same as in the message before; then it costs a comparison. */
class RepeatedText {
  private bytes: Buffer = empty
  private text = ""

  read(bytes: Buffer, at: number): string {
    const known = this.bytes
    const length = bytes[at] ?? 0
    let same = length === known.length
    for (let i = 0; same && i < length; i++) same = bytes[at + 1 + i] === known[i]
    if (same) return this.text
    this.text = short(bytes, at)
    this.bytes = Buffer.from(bytes.subarray(at + 1, at + 1 + length))
    return this.text
  }
}

const short = (bytes: Buffer, at: number): string =>
  Limits.shortText(bytes.toString("utf8", at + 1, at + 1 + (bytes[at] ?? 0)))
