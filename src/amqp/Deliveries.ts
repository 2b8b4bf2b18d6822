/**
 * Reads deliveries straight from the bytes of a connection, as AMQP 0-9-1 has them
 * (https://www.rabbitmq.com/amqp-0-9-1-protocol.pdf, 2.3 and 4.2; tables as in
 * https://www.rabbitmq.com/amqp-0-9-1-errata.html): one look at the three frames of a message where amqplib
 * takes each apart into buffers and objects of its own.
 *
 * It takes what lies there whole and is of the usual form. Everything else, and whatever is in pieces, is
 * left to amqplib, which tells the same of it in its own way; so order is kept, and nothing is refused here.
 */
import type { Channel } from "amqplib"
import type { Delivery } from "../bus/Broker.ts"
import * as HeaderTable from "./HeaderTable.ts"
import { frameEnd, frameEndMark, frameHeader } from "./MethodFrame.ts"

/** A message as it came. */
export interface Message {
  readonly deliveryTag: number
  readonly redelivered: boolean
  readonly exchange: string
  readonly routingKey: string
  readonly body: Buffer
  readonly properties: Delivery["properties"]
  readonly headers: Readonly<Record<string, unknown>>
}

/** What amqplib has below its channels, and does not document; the version is exact. */
interface Inner {
  readonly ch: number
  /** Replaced when the channel closes, by one that ignores what comes. */
  readonly accept: unknown
  readonly connection: Line
}
interface Line {
  /** What was received and not yet looked at. */
  rest: Buffer
  /** The next frame, or false when there is none that is whole. */
  recvFrame: () => unknown
  /** Replaced when the connection closes. */
  readonly accept: unknown
}

interface Consumer {
  readonly take: (message: Message) => void
  readonly isUsable: () => boolean
  /** What was in the last message: most are like the one before. */
  readonly exchange: Repeated
  readonly routingKey: Repeated
  readonly contentType: Repeated
  readonly type: Repeated
  readonly appId: Repeated
}

const lines = new WeakMap<Line, Map<number, Consumer>>()

/** Hands the deliveries of a channel with one consumer to `take`, until the channel is closed. What it does not take, amqplib brings. */
export const hear = (channel: Channel, take: (message: Message) => void): void => {
  const inner = innerOf(channel)
  const { accept, connection } = inner
  const acceptOfAll = connection.accept
  let consumers = lines.get(connection)
  if (consumers === undefined) {
    consumers = new Map()
    lines.set(connection, consumers)
    hook(connection, consumers)
  }
  consumers.set(inner.ch, {
    take,
    isUsable: () => inner.accept === accept && connection.accept === acceptOfAll,
    exchange: repeated(),
    routingKey: repeated(),
    contentType: repeated(),
    type: repeated(),
    appId: repeated()
  })
  const known = consumers
  // The number is given to the next channel.
  channel.once("close", () => known.delete(inner.ch))
}

const innerOf = (channel: Channel): Inner => {
  // Checked below: it is an object of amqplib's.
  const inner = channel as unknown as Inner
  if (
    typeof inner.ch === "number" &&
    typeof inner.accept === "function" &&
    typeof inner.connection.recvFrame === "function" &&
    Buffer.isBuffer(inner.connection.rest)
  )
    return inner
  throw new Error("this version of amqplib is not known: use the exact version that @eduflow/events depends on")
}

const hook = (line: Line, consumers: ReadonlyMap<number, Consumer>): void => {
  const { recvFrame } = line
  // amqplib's own comes back here after it has received more.
  line.recvFrame = () => {
    takeAll(line, consumers)
    return recvFrame.call(line)
  }
}

const takeAll = (line: Line, consumers: ReadonlyMap<number, Consumer>): void => {
  const bytes = line.rest
  let at = 0
  for (;;) {
    const end = next(bytes, at, consumers)
    if (end === at) break
    at = end
  }
  if (at > 0) line.rest = bytes.subarray(at)
}

const methodFrame = 1
const headerFrame = 2
const bodyFrame = 3
const basicClass = 60
/** Class 60, method 60. */
const deliver = 0x003c003c
/** Class, weight, size of the body, flags. */
const fixedHeader = 14
const empty = Buffer.alloc(0)

/** Where the message that begins at `start` ends; `start` itself when it is left to amqplib. */
const next = (bytes: Buffer, start: number, consumers: ReadonlyMap<number, Consumer>): number => {
  const { length } = bytes
  if (length - start < frameHeader + 4 || bytes[start] !== methodFrame) return start
  if (uint32(bytes, start + frameHeader) !== deliver) return start
  const channel = uint16(bytes, start + 1)
  const consumer = consumers.get(channel)
  if (consumer === undefined || !consumer.isUsable()) return start
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
  const message = read(bytes, start + frameHeader + 4, methodEnd, contents + 12, headerEnd, body, consumer)
  if (message === undefined) return start
  consumer.take(message)
  return end
}

/** Undefined for what is not as it should be. */
const read = (
  bytes: Buffer,
  methodAt: number,
  methodEnd: number,
  flagsAt: number,
  headerEnd: number,
  body: Buffer,
  { appId: appIds, contentType: contentTypes, exchange: exchanges, routingKey: routingKeys, type: types }: Consumer
): Message | undefined => {
  // The tag of the consumer, which is the only one of its channel.
  let at = methodAt + 1 + (bytes[methodAt] ?? 0)
  const deliveryTag = uint32(bytes, at) * 2 ** 32 + uint32(bytes, at + 4)
  const redelivered = ((bytes[at + 8] ?? 0) & 1) === 1
  at += 9
  const exchange = exchanges(bytes, at)
  at += 1 + (bytes[at] ?? 0)
  const routingKey = routingKeys(bytes, at)
  at += 1 + (bytes[at] ?? 0)
  if (at !== methodEnd) return undefined

  const flags = uint16(bytes, flagsAt)
  at = flagsAt + 2
  let contentType: string | undefined
  let headers = HeaderTable.none
  let correlationId: string | undefined
  let messageId: string | undefined
  let timestamp: number | undefined
  let type: string | undefined
  let appId: string | undefined
  const skip = (flag: number): void => {
    if ((flags & flag) !== 0) at += 1 + (bytes[at] ?? 0)
  }
  if ((flags & 0x8000) !== 0) {
    contentType = contentTypes(bytes, at)
    skip(0x8000)
  }
  skip(0x4000) // content encoding
  if ((flags & 0x2000) !== 0) {
    const tableEnd = at + 4 + uint32(bytes, at)
    if (tableEnd > headerEnd) return undefined
    const table = HeaderTable.read(bytes, at + 4, tableEnd)
    if (table === undefined) return undefined
    headers = table
    at = tableEnd
  }
  if ((flags & 0x1000) !== 0) at++ // delivery mode
  if ((flags & 0x0800) !== 0) at++ // priority
  if ((flags & 0x0400) !== 0) {
    correlationId = short(bytes, at)
    skip(0x0400)
  }
  skip(0x0200) // reply to
  skip(0x0100) // expiration
  if ((flags & 0x0080) !== 0) {
    messageId = short(bytes, at)
    skip(0x0080)
  }
  if ((flags & 0x0040) !== 0) {
    timestamp = millisOf(uint32(bytes, at) * 2 ** 32 + uint32(bytes, at + 4))
    at += 8
  }
  if ((flags & 0x0020) !== 0) {
    type = types(bytes, at)
    skip(0x0020)
  }
  skip(0x0010) // user id
  if ((flags & 0x0008) !== 0) {
    appId = appIds(bytes, at)
    skip(0x0008)
  }
  skip(0x0004) // cluster id
  // The lowest bit says that there are more flags, of which there are none.
  if (at !== headerEnd || (flags & 0x0003) !== 0) return undefined
  return {
    deliveryTag,
    redelivered,
    exchange,
    routingKey,
    body,
    properties: { messageId, type, timestamp, appId, correlationId, contentType },
    headers
  }
}

const uint16 = (bytes: Buffer, at: number): number => ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0)
const uint32 = (bytes: Buffer, at: number): number =>
  (bytes[at] ?? 0) * 0x1000000 + (((bytes[at + 1] ?? 0) << 16) | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0))
const short = (bytes: Buffer, at: number): string =>
  shortText(bytes.toString("utf8", at + 1, at + 1 + (bytes[at] ?? 0)))

/** Senders may write any bytes: what is no UTF-8 is read as more than it was, and no copy could carry it. */
export const shortText = (text: string): string =>
  text.length <= 85 || Buffer.byteLength(text) <= 255 ? text : Buffer.from(text).toString("utf8", 0, 252)

/** The milliseconds of a timestamp; undefined when it is no time, such as one that counts nanoseconds. */
export const millisOf = (seconds: number): number | undefined => (seconds <= 8.64e12 ? seconds * 1000 : undefined)

type Repeated = (bytes: Buffer, at: number) => string

/** Reads a short text; it costs a comparison when it is the one of the time before. */
const repeated = (): Repeated => {
  let known: Buffer = empty
  let text = ""
  return (bytes, at) => {
    const length = bytes[at] ?? 0
    let same = length === known.length
    for (let i = 0; same && i < length; i++) same = bytes[at + 1 + i] === known[i]
    if (same) return text
    text = short(bytes, at)
    known = Buffer.from(bytes.subarray(at + 1, at + 1 + length))
    return text
  }
}
