/**
 * Calls of a channel that leave at once. amqplib sends a call when the one before it was answered, so that a
 * hundred declarations are a hundred round trips; RabbitMQ's channels take calls as they come and answer them in
 * their order.
 */
import type { Channel } from "amqplib"

type Reply = (error: unknown, frame: unknown) => void

/** What amqplib has of calls, and does not document. */
interface Inner {
  /** Who is answered next. */
  reply: Reply | null
  /** Who is answered after that; what they ask is sent when it is their turn. */
  readonly pending: Array<{ readonly method: unknown; readonly fields: unknown; readonly reply: Reply }>
  sendImmediately: (method: unknown, fields: unknown) => void
  /** Both are replaced when the channel closes, by what throws. */
  sendOrEnqueue: (method: unknown, fields: unknown, reply: Reply) => void
}

const isKnown = (inner: Inner): boolean =>
  inner.reply === null &&
  Array.isArray(inner.pending) &&
  typeof inner.sendImmediately === "function" &&
  typeof inner.sendOrEnqueue === "function"

/** Instead of a method: was sent already. */
const sent = Symbol("sent")

/** For a channel without calls under way. One of an amqplib that is not known stays as it is: slower, and as right. */
export const open = (channel: Channel): Channel => {
  // Read by `isKnown` before anything is done with it.
  const inner = channel as unknown as Inner
  if (!isKnown(inner)) return channel
  const send = inner.sendImmediately.bind(channel)
  inner.sendImmediately = (method, fields) => {
    if (method !== sent) send(method, fields)
  }
  inner.sendOrEnqueue = (method, fields, reply) => {
    send(method, fields)
    if (inner.reply === null) inner.reply = reply
    else inner.pending.push({ method: sent, fields, reply })
  }
  return channel
}
