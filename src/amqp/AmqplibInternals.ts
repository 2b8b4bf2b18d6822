/**
 * Every use of amqplib below its documented surface. No other file of this library reads or replaces a member
 * that amqplib does not document, or relies on how it works inside.
 *
 * For users: publishes are written straight to the socket of amqplib's connection and deliveries are read
 * straight from its buffer, since amqplib's own queues and frame objects cost more than everything else about an
 * event. So this library works with the amqplib versions that it knows, 2.3.x, and depends on one exact version
 * of them: the package manager installs it, and an amqplib of your own beside it may have any version. If an
 * override, a resolution or a patch replaces it, the first connect fails with the reason `ClientUnsupported`,
 * which names the version found and the versions known. Remove the override to fix it.
 *
 * When amqplib is upgraded, check what this file assumes and TypeScript cannot see:
 * - A closing channel or connection replaces `accept` and `sendMessage`; nothing else does.
 * - amqplib's own listeners for "ack" and "nack" only update the list of messages that amqplib published itself,
 *   and its own listener for "close" of a channel, which answers those messages, is registered at construction.
 * - `ack` reads the delivery tag of a message and nothing else.
 * - amqplib sends with `stream.write`, looked up at each call, and its listener for "drain" comes first.
 * - amqplib calls `recvFrame` until it returns false, and `recvFrame` calls itself after it has read more bytes.
 * - Opening a channel calls `freshChannel` at once.
 * - Calls of a channel are answered in the order of `reply` and then `pending`.
 * - `rpc` knows the methods of transactions, which amqplib does not offer.
 * - The frames of a channel wait in its `buffer`, whole and in order, until amqplib writes them in a later turn; amqplib
 *   does not mind when it finds none.
 */
import type { Channel, ChannelModel, ConfirmChannel, Message } from "amqplib"
import { Duplex } from "node:stream"
import type { ChannelMembers, ConnectionMembers } from "./AmqplibShape.ts"

export { verify, verifyVersion } from "./AmqplibShape.ts"

// `verify` has checked these shapes when the connection was made; both objects are amqplib's own.
const membersOf = (channel: Channel): ChannelMembers => channel as unknown as ChannelMembers
const connectionOf = (model: ChannelModel): ConnectionMembers => model.connection as unknown as ConnectionMembers

/** The socket of a connection. */
export const socketOf = (model: ChannelModel): Duplex => connectionOf(model).stream

export const frameMaxOf = (model: ChannelModel): number => connectionOf(model).frameMax

/** Ends a connection at once. `verify` may have failed: then only a polite close is left. */
export const destroy = (model: ChannelModel): void => {
  const { stream }: { readonly stream?: unknown } = connectionOf(model)
  // With an error: without one amqplib does not notice, leaves confirms unanswered and its heartbeat running.
  if (stream instanceof Duplex) stream.destroy(new Error("closed"))
  else void model.close().catch(() => {})
}

/** A channel, and whether it has closed since it began to open. */
export interface OpenedChannel<C extends Channel> {
  readonly channel: C
  /** Why the channel closed; undefined while it is open. */
  readonly closed: () => Error | undefined
}

/**
 * Opens a channel and watches it from the beginning. amqplib reports the opening in a later turn than it reads a close
 * that came right behind it: an error without a listener ends the connection, and a closed channel looks like an open one.
 */
export const openChannel = async <C extends Channel>(
  model: ChannelModel,
  open: () => Promise<C>
): Promise<OpenedChannel<C>> => {
  const connection = connectionOf(model)
  const { freshChannel } = connection
  let closed: Error | undefined
  connection.freshChannel = (channel, options) => {
    let reason = new Error("the channel was closed")
    channel.on("error", (error: Error) => void (reason = error))
    channel.prependOnceListener("close", () => void (closed = reason))
    return freshChannel.call(connection, channel, options)
  }
  let opening: Promise<C>
  try {
    opening = open()
  } finally {
    connection.freshChannel = freshChannel
  }
  return { channel: await opening, closed: () => closed }
}

const nothing = Buffer.alloc(0)

/** One channel, past amqplib's own queues and parsers. */
export class ChannelWire {
  readonly number: number
  readonly stream: Duplex
  private readonly channel: ChannelMembers
  private readonly connection: ConnectionMembers
  private readonly send: unknown
  private readonly sendOfAll: unknown
  private readonly accept: unknown
  private readonly acceptOfAll: unknown

  constructor(channel: Channel) {
    this.channel = membersOf(channel)
    this.connection = this.channel.connection
    this.number = this.channel.ch
    this.stream = this.connection.stream
    this.send = this.channel.sendMessage
    this.sendOfAll = this.connection.sendMessage
    this.accept = this.channel.accept
    this.acceptOfAll = this.connection.accept
  }

  /** Whether the channel may still be written to; a frame on a closed channel would end the connection. */
  canSend(): boolean {
    return this.channel.sendMessage === this.send && this.connection.sendMessage === this.sendOfAll
  }

  /** Whether deliveries of the channel may still be read; amqplib ignores those of a closed one. */
  canReceive(): boolean {
    return this.channel.accept === this.accept && this.connection.accept === this.acceptOfAll
  }

  write(bytes: Buffer, written: () => void): void {
    this.connection.sentSinceLastCheck = true
    this.connection.stream.write(bytes, written)
  }

  /**
   * Writes the frames that amqplib keeps of this channel now, and not in a later turn. Returns whether the operating
   * system has them. Otherwise calls `sent` when it does, or when the connection is gone.
   */
  sendNow(sent: () => void): boolean {
    const { connection, stream } = this
    const buffer = connection.channels[this.number]?.buffer
    if (buffer === undefined || stream.destroyed) return true
    for (let frame: unknown = buffer.read(); frame !== null; frame = buffer.read()) stream.write(frame)
    while (stream.writableCorked > 0) stream.uncork()
    if (stream.writableLength === 0) return true
    // An empty write: its end is the end of all before it. Nothing waits in a plain socket, but in one with TLS.
    stream.write(nothing, () => sent())
    while (stream.writableCorked > 0) stream.uncork()
    return false
  }

  /** Shows the received bytes of the whole connection to `parse` before amqplib parses them; `parse` returns how many it took. */
  readFirst(parse: (bytes: Buffer) => number): void {
    const { connection } = this
    const { recvFrame } = connection
    connection.recvFrame = () => {
      const bytes = connection.rest
      const taken = parse(bytes)
      if (taken > 0) connection.rest = bytes.subarray(taken)
      return recvFrame.call(connection)
    }
  }
}

/** amqplib reads nothing else of a message that is settled. */
const tagged = (deliveryTag: number): Message => ({ fields: { deliveryTag } }) as Message

export const ack = (channel: Channel, tag: number, upTo: boolean): void => channel.ack(tagged(tag), upTo)
export const reject = (channel: Channel, tag: number): void => channel.reject(tagged(tag), false)

/** Cancels a consumer and goes on to take what was on its way: amqplib would end the channel of such a delivery. */
export const cancel = async (channel: Channel, tag: string, take: (message: Message | null) => void): Promise<void> => {
  await channel.cancel(tag)
  membersOf(channel).registerConsumer(tag, take)
}

export interface Confirm {
  readonly deliveryTag: number
  readonly multiple: boolean
}

/** Takes the place of amqplib's own listeners for confirms: amqplib does not know what is published past it. */
export const onConfirms = (
  channel: ConfirmChannel,
  onAck: (confirm: Confirm) => void,
  onNack: (confirm: Confirm) => void
): void => {
  channel.removeAllListeners("ack").on("ack", onAck)
  channel.removeAllListeners("nack").on("nack", onNack)
}

/** Calls `listener` on "close" before amqplib's own listener answers what is under way. */
export const beforeClose = (channel: Channel, listener: () => void): void => {
  channel.prependOnceListener("close", listener)
}

/** The numbers of AMQP 0-9-1 (class 90): `tx.select`, `tx.rollback`, and the answer to each. */
const tx = { select: 5898250, selectOk: 5898251, rollback: 5898270, rollbackOk: 5898271 }

/** From now on a publish on the channel counts when its transaction is committed. */
export const beginTransaction = (channel: Channel): Promise<unknown> =>
  membersOf(channel).rpc(tx.select, {}, tx.selectOk)

/** Takes back what was published since the transaction began. The next one begins by itself. */
export const rollBack = (channel: Channel): Promise<unknown> => membersOf(channel).rpc(tx.rollback, {}, tx.rollbackOk)

/** Stands for the method of a call that was sent already. */
const sent = Symbol("sent")

/**
 * Sends the calls of a channel at once. amqplib sends a call when the one before it was answered, so a hundred
 * declarations are a hundred round trips; RabbitMQ takes calls as they come and answers them in order. For a
 * channel without calls under way.
 */
export const pipelineCalls = (channel: Channel): void => {
  const members = membersOf(channel)
  const send = members.sendImmediately.bind(channel)
  members.sendImmediately = (method, fields) => {
    if (method !== sent) send(method, fields)
  }
  members.sendOrEnqueue = (method, fields, reply) => {
    send(method, fields)
    if (members.reply === null) members.reply = reply
    else members.pending.push({ method: sent, fields, reply })
  }
}
