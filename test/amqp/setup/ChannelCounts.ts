/** What this process asks RabbitMQ for, seen on amqplib's own classes. */
import type { Channel, ChannelModel } from "amqplib"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"

interface Classes {
  readonly ChannelModel: { readonly prototype: Pick<ChannelModel, "createConfirmChannel" | "createChannel"> }
  readonly Channel: {
    readonly prototype: { rpc: (this: Channel, method: number, fields: object, expected: number) => Promise<unknown> }
  }
}

const require = createRequire(import.meta.url)
// amqplib's own file, which it does not export; its classes have these methods.
const classes = require(join(dirname(require.resolve("amqplib")), "lib", "channel_model.js")) as Classes

let opened = 0
const { createConfirmChannel } = classes.ChannelModel.prototype
classes.ChannelModel.prototype.createConfirmChannel = function (...args) {
  opened++
  return createConfirmChannel.apply(this, args)
}

let openedPlain = 0
const { createChannel } = classes.ChannelModel.prototype
classes.ChannelModel.prototype.createChannel = function (...args) {
  openedPlain++
  return createChannel.apply(this, args)
}

/** `tx.rollback`. */
const rollback = 5898270
/** `queue.bind` and `exchange.bind`. */
const bindings: ReadonlySet<number> = new Set([3276820, 2621470])
let rolledBack = 0
let bound = 0
const { rpc } = classes.Channel.prototype
classes.Channel.prototype.rpc = function (method, ...args) {
  if (method === rollback) rolledBack++
  if (bindings.has(method)) bound++
  return rpc.call(this, method, ...args)
}

const since = (count: () => number): (() => number) => {
  const before = count()
  return () => count() - before
}

/** Counts the confirm channels that are opened from now on: those that the library publishes on. */
export const countConfirmChannels = (): (() => number) => since(() => opened)

/** Counts the other channels that are opened from now on. */
export const countChannels = (): (() => number) => since(() => openedPlain)

/** Counts the transactions that are rolled back from now on: questions for rights. */
export const countQuestions = (): (() => number) => since(() => rolledBack)

/** Counts the bindings that are declared from now on. */
export const countBindings = (): (() => number) => since(() => bound)
