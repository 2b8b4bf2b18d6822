/**
 * Reads publisher confirms straight from the received bytes of a connection (`basic.ack` and `basic.nack`,
 * https://www.rabbitmq.com/amqp-0-9-1-protocol.pdf, 2.3 and https://www.rabbitmq.com/docs/confirms): RabbitMQ confirms
 * many messages one by one, and amqplib makes four objects and an event of each.
 *
 * Everything else is left to amqplib. So a `basic.return` is still read before the confirm behind it, and a frame in
 * pieces waits in amqplib's buffer for its rest.
 */
import type { ConfirmChannel } from "amqplib"
import * as AmqplibInternals from "../AmqplibInternals.ts"
import { frameEnd, frameEndMark, frameHeader } from "../frames/MethodFrame.ts"
import { uint16, uint32, uint64 } from "../frames/ReceivedBytes.ts"

export type Settle = (confirm: AmqplibInternals.Confirm) => void

const methodFrame = 1
/** Class 60, methods 80 and 120. */
const ack = 0x003c0050
const nack = 0x003c0078
/** Class and method, delivery tag, flags. */
const contents = 4 + 8 + 1
const frameBytes = frameHeader + contents + frameEnd
/** Of the flags: the confirm is for all messages up to its tag. */
const multiple = 1

interface Channel {
  readonly wire: AmqplibInternals.ChannelWire
  readonly onAck: Settle
  readonly onNack: Settle
}

/** By connection: its channels by their number. */
const connections = new WeakMap<object, Map<number, Channel>>()

/** Hands the confirms of a channel to these functions, which never throw, until the channel closes. */
export const read = (channel: ConfirmChannel, onAck: Settle, onNack: Settle): void => {
  const { connection } = channel
  const wire = new AmqplibInternals.ChannelWire(channel)
  let channels = connections.get(connection)
  if (channels === undefined) {
    const made = new Map<number, Channel>()
    channels = made
    connections.set(connection, made)
    wire.readFirst((bytes) => parse(bytes, made))
  }
  channels.set(wire.number, { wire, onAck, onNack })
  AmqplibInternals.onConfirms(channel, onAck, onNack)
  const all = channels
  // The number is given to the next channel.
  channel.once("close", () => all.delete(wire.number))
}

/** Takes the confirms that lie at the beginning, and returns how many bytes they have. */
const parse = (bytes: Buffer, channels: ReadonlyMap<number, Channel>): number => {
  let at = 0
  for (; bytes.length - at >= frameBytes; at += frameBytes) {
    if (bytes[at] !== methodFrame || uint32(bytes, at + 3) !== contents) break
    const method = uint32(bytes, at + frameHeader)
    if ((method !== ack && method !== nack) || bytes[at + frameBytes - 1] !== frameEndMark) break
    const channel = channels.get(uint16(bytes, at + 1))
    // amqplib ignores the confirms of a channel that closes.
    if (channel === undefined || !channel.wire.canReceive()) break
    const flags = bytes[at + frameHeader + 12] ?? 0
    const confirm = { deliveryTag: uint64(bytes, at + frameHeader + 4), multiple: (flags & multiple) !== 0 }
    if (method === ack) channel.onAck(confirm)
    else channel.onNack(confirm)
  }
  return at
}
