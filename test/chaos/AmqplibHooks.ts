/**
 * Hooks on amqplib's channels and sockets in this process: what is observed of the bytes, and what the bugs change
 * in them. The library knows nothing of it.
 */
import type { ConsumeMessage, Options } from "amqplib"
import { createRequire } from "node:module"
import { Socket } from "node:net"
import { dirname, join } from "node:path"

export type Receive = (message: ConsumeMessage | null) => void

/** The methods of amqplib's channel that are replaced. */
export interface Channel {
  consume(queue: string, receive: Receive, options?: Options.Consume): Promise<{ readonly consumerTag: string }>
  ack(message: { readonly fields: { readonly deliveryTag: number } }, allUpTo?: boolean): void
  nack(message: ConsumeMessage, allUpTo: boolean, requeue: boolean): void
  cancel(consumerTag: string): Promise<unknown>
  assertQueue(queue: string, options?: Options.AssertQueue): Promise<unknown>
  bindQueue(queue: string, source: string, pattern: string): Promise<unknown>
  on(event: "error", listener: (error: Error) => void): unknown
}

interface Prototypes {
  readonly Channel: {
    readonly prototype: Channel
    new (connection: object): Channel & { readonly open: () => Promise<unknown> }
  }
}

const require = createRequire(import.meta.url)
// amqplib's own file, which it does not export; its classes have these methods.
const model = require(join(dirname(require.resolve("amqplib")), "lib", "channel_model.js")) as Prototypes

/** Wraps a method of every channel. */
export const around = <M extends keyof Channel>(
  method: M,
  make: (original: Channel[M]) => (this: Channel, ...args: Parameters<Channel[M]>) => ReturnType<Channel[M]>
): void => {
  const target = model.Channel.prototype
  // The same function with the same parameters: `this` is the one difference to the interface.
  target[method] = make(target[method]) as Channel[M]
}

// Likewise.
const connections = require(join(dirname(require.resolve("amqplib")), "lib", "connection.js")) as {
  readonly Connection: { readonly prototype: { toClosed: (this: object, stack: unknown, error?: Error) => unknown } }
}

/** The connection of a channel, and another channel on it. */
export const connectionOf = (channel: Channel): object => {
  const { connection } = channel as Channel & { readonly connection: object } // so has each of amqplib's
  return connection
}
export const besides = async (channel: Channel): Promise<Channel> => {
  const other = new model.Channel(connectionOf(channel))
  await other.open()
  return other
}

/** Calls back when the broker ends a connection with a consumer of such a queue. */
export const closedByBroker = (isSubscriber: (queue: string) => boolean, onClose: (detail: string) => void): void => {
  const consuming = new WeakSet<object>()
  around(
    "consume",
    (consume) =>
      function (queue, receive, settings) {
        if (isSubscriber(queue)) consuming.add(connectionOf(this))
        return consume.call(this, queue, receive, settings)
      }
  )
  const target = connections.Connection.prototype
  const { toClosed } = target
  target.toClosed = function (stack, error) {
    const [, detail] = /^Connection closed: (.*)$/s.exec(error?.message ?? "") ?? []
    if (detail !== undefined && consuming.has(this)) onClose(detail)
    return toClosed.call(this, stack, error)
  }
}

/** Has amqplib itself read the frames of a channel, where the library would read them past amqplib. */
export const byAmqplib = (channel: Channel): void => {
  const own = channel as Channel & { accept: (frame: unknown) => void } // so are all of amqplib's
  own.accept = own.accept.bind(own)
}

interface Message {
  readonly exchange: string
  readonly key: string
  readonly id: string
  readonly size: number
  readonly body: Array<Buffer>
}

const publish = 0x003c0028
/** How the contents of a confirm begin, behind their size. */
const confirm = Buffer.from([0, 0, 0, 13, 0, 60, 0, 80])

/** Calls back after each read that brought a confirm of the broker, when its publish has its outcome. */
export const confirmed = (onConfirm: () => void): void => {
  const target = Socket.prototype
  const { read } = target
  target.read = function (size) {
    const bytes: unknown = read.call(this, size)
    // What was read is parsed in this turn, before its next tick.
    if (Buffer.isBuffer(bytes) && bytes.includes(confirm)) process.nextTick(onConfirm)
    return bytes
  }
}

const frameKind = { method: 1, header: 2, body: 3 } as const

/** Shows each frame before this process writes it to a socket; changes to it are sent. */
const frames = (see: (socket: Socket, kind: number, channel: number, payload: Buffer) => void): void => {
  const left = new WeakMap<Socket, Buffer>()
  const read = (socket: Socket, chunk: Buffer): void => {
    const before = left.get(socket) ?? Buffer.alloc(0)
    const bytes = before.length === 0 ? chunk : Buffer.concat([before, chunk])
    // The handshake begins with eight bytes that are not a frame.
    let at = bytes.toString("latin1", 0, 4) === "AMQP" ? 8 : 0
    while (at + 7 <= bytes.length && at + 8 + bytes.readUInt32BE(at + 3) <= bytes.length) {
      const payload = bytes.subarray(at + 7, at + 7 + bytes.readUInt32BE(at + 3))
      see(socket, bytes[at] ?? 0, bytes.readUInt16BE(at + 1), payload)
      at += 8 + payload.length
    }
    if (before.length > 0) bytes.copy(chunk, 0, before.length)
    left.set(socket, Buffer.from(bytes.subarray(at)))
  }
  const write = Socket.prototype.write
  Socket.prototype.write = function (this: Socket, ...args: Parameters<Socket["write"]>) {
    const [chunk] = args
    if (Buffer.isBuffer(chunk)) read(this, chunk)
    return write.apply(this, args)
  } as Socket["write"] // it has overloads
}

const isPublish = (kind: number, payload: Buffer): boolean =>
  kind === frameKind.method && payload.readUInt32BE(0) === publish

/** Publishes nothing as mandatory. */
export const neverMandatory = (): void =>
  frames((_, kind, __, payload) => {
    // Its bits are the last byte of the method, and mandatory is the first of them.
    if (isPublish(kind, payload)) payload[payload.length - 1] = 0
  })

/** Publishes nothing as persistent. */
export const neverPersistent = (): void =>
  frames((_, kind, __, payload) => {
    if (kind !== frameKind.header) return
    const { deliveryMode } = header(payload)
    if (deliveryMode !== undefined) payload[deliveryMode] = 1
  })

/** Reports each message that this process publishes, read from the bytes of its sockets. */
export const watch = (onPublish: (exchange: string, key: string, id: string, body: Buffer) => void): void => {
  const open = new WeakMap<Socket, Map<number, Message>>()
  frames((socket, kind, channel, payload) => {
    const messages = open.get(socket) ?? new Map<number, Message>()
    open.set(socket, messages)
    const message = messages.get(channel)
    if (isPublish(kind, payload)) messages.set(channel, begun(payload))
    else if (kind === frameKind.header && message !== undefined) Object.assign(message, header(payload))
    else if (kind === frameKind.body) message?.body.push(Buffer.from(payload))
    if (kind === frameKind.method || message === undefined) return
    const body = Buffer.concat(message.body)
    if (body.length !== message.size) return
    messages.delete(channel)
    onPublish(message.exchange, message.key, message.id, body)
  })
}

const begun = (payload: Buffer): Message => {
  const exchange = short(payload, 6)
  return { exchange, key: short(payload, 7 + Buffer.byteLength(exchange)), id: "", size: 0, body: [] }
}

const short = (bytes: Buffer, at: number): string => bytes.toString("utf8", at + 1, at + 1 + (bytes[at] ?? 0))

/** The parts of the properties that are needed: size of the body, offset of the delivery mode, id. */
const header = (
  payload: Buffer
): { readonly id: string; readonly size: number; readonly deliveryMode: number | undefined } => {
  const flags = payload.readUInt16BE(12)
  let at = 14
  const skip = (flag: number, size: () => number): void => {
    if ((flags & flag) !== 0) at += size()
  }
  const text = (): number => 1 + (payload[at] ?? 0)
  skip(0x8000, text)
  skip(0x4000, text)
  skip(0x2000, () => 4 + payload.readUInt32BE(at))
  const deliveryMode = (flags & 0x1000) === 0 ? undefined : at
  skip(0x1000, () => 1)
  skip(0x0800, () => 1)
  for (const flag of [0x0400, 0x0200, 0x0100]) skip(flag, text)
  return { id: (flags & 0x80) === 0 ? "" : short(payload, at), size: Number(payload.readBigUInt64BE(4)), deliveryMode }
}
