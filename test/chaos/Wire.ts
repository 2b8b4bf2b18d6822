/**
 * A hand on amqplib's channels in this process: what is seen of the wire, and what the bugs do to it. The
 * library knows nothing of it.
 */
import type { ConsumeMessage, Options } from "amqplib"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"

export type Confirm = (error: unknown) => void
export type Receive = (message: ConsumeMessage | null) => void

/** What of amqplib's prototypes is touched. */
export interface Channel {
  consume(queue: string, receive: Receive, options?: Options.Consume): Promise<{ readonly consumerTag: string }>
  ack(message: { readonly fields: { readonly deliveryTag: number } }, allUpTo?: boolean): void
  nack(message: ConsumeMessage, allUpTo: boolean, requeue: boolean): void
  cancel(consumerTag: string): Promise<unknown>
  assertQueue(queue: string, options?: Options.AssertQueue): Promise<unknown>
  publish(exchange: string, key: string, body: Buffer, options: Options.Publish, confirm: Confirm): boolean
}

interface Prototypes {
  readonly Channel: { readonly prototype: Channel }
  readonly ConfirmChannel: { readonly prototype: Channel }
}

const require = createRequire(import.meta.url)
// amqplib's own file, which it does not export; its classes have these methods.
const model = require(join(dirname(require.resolve("amqplib")), "lib", "channel_model.js")) as Prototypes

const prototype = { publish: model.ConfirmChannel.prototype, other: model.Channel.prototype }

/** Puts something around a method of every channel. */
export const around = <M extends keyof Channel>(
  method: M,
  make: (original: Channel[M]) => (this: Channel, ...args: Parameters<Channel[M]>) => ReturnType<Channel[M]>
): void => {
  const target = method === "publish" ? prototype.publish : prototype.other
  // The same function with the same parameters: `this` is the one difference to the interface.
  target[method] = make(target[method]) as Channel[M]
}
