/**
 * The members of amqplib that it does not document and `AmqplibInternals` uses, and the check that the amqplib at hand has
 * them.
 */
import type { Channel, ChannelModel, Message } from "amqplib"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import { readFileSync } from "node:fs"
import { findPackageJSON } from "node:module"
import { Duplex, type PassThrough } from "node:stream"
import { BrokerError } from "../bus/port/BrokerError.ts"
import { ClientUnsupported } from "../bus/port/BrokerReason.ts"

const knownVersions = "2.3.x"
const isKnown = (version: string): boolean => /^2\.3\.\d+$/.test(version)

type Reply = (error: unknown, frame: unknown) => void

export interface ChannelMembers {
  readonly ch: number
  readonly connection: ConnectionMembers
  /** Replaced when the channel closes by a function that throws. */
  readonly sendMessage: unknown
  /** Replaced when the channel closes by a function that ignores frames. */
  readonly accept: unknown
  /** The call that is answered next. */
  reply: Reply | null
  /** The calls behind it, which amqplib sends one by one. */
  readonly pending: Array<{ readonly method: unknown; readonly fields: unknown; readonly reply: Reply }>
  sendImmediately: (method: unknown, fields: unknown) => void
  sendOrEnqueue: (method: unknown, fields: unknown, reply: Reply) => void
  /** Sends a method by its number, and resolves with the answer of the other number. */
  rpc: (method: number, fields: object, expected: number) => Promise<unknown>
  /** Brings the deliveries of a consumer to `take`; a delivery without one ends the channel. */
  registerConsumer: (tag: string, take: (message: Message | null) => void) => void
}

export interface ConnectionMembers {
  readonly stream: Duplex
  /** The largest frame that both sides agreed on. */
  readonly frameMax: number
  /** Replaced when the connection closes. */
  readonly sendMessage: unknown
  /** Replaced when the connection closes. */
  readonly accept: unknown
  /** Read and cleared by the heartbeat. */
  sentSinceLastCheck: boolean
  /** Bytes that were received and not parsed yet. */
  rest: Buffer
  /** By number: frames of a channel that amqplib has not written yet. */
  readonly channels: ReadonlyArray<{ readonly buffer: PassThrough } | null | undefined>
  /** Returns the next whole frame, or false. */
  recvFrame: () => unknown
  /** Takes a channel in when it opens. */
  freshChannel: (channel: Channel, options: unknown) => number
}

const channelShape: Readonly<Record<keyof ChannelMembers, Predicate.Predicate<unknown>>> = {
  ch: Predicate.isNumber,
  connection: Predicate.isObject,
  sendMessage: Predicate.isFunction,
  accept: Predicate.isFunction,
  reply: Predicate.isNull,
  pending: Array.isArray,
  sendImmediately: Predicate.isFunction,
  sendOrEnqueue: Predicate.isFunction,
  rpc: Predicate.isFunction,
  registerConsumer: Predicate.isFunction
}

const connectionShape: Readonly<Record<keyof ConnectionMembers, Predicate.Predicate<unknown>>> = {
  stream: (value) => value instanceof Duplex,
  frameMax: Predicate.isNumber,
  sendMessage: Predicate.isFunction,
  accept: Predicate.isFunction,
  sentSinceLastCheck: Predicate.isBoolean,
  rest: Buffer.isBuffer,
  channels: Array.isArray,
  recvFrame: Predicate.isFunction,
  freshChannel: Predicate.isFunction
}

let found: { readonly version: string | undefined } | undefined

/** The version of the amqplib that this file imports; undefined inside a bundle, which has no package.json of it. */
const versionFound = (): string | undefined => {
  if (found !== undefined) return found.version
  let version: string | undefined
  try {
    const file = findPackageJSON("amqplib", import.meta.url)
    const manifest: unknown = file === undefined ? undefined : JSON.parse(readFileSync(file, "utf8"))
    if (Predicate.hasProperty(manifest, "version") && Predicate.isString(manifest.version)) version = manifest.version
  } catch {
    // A bundle: the shapes decide.
  }
  found = { version }
  return version
}

const unsupported = (detail: string): BrokerError =>
  new BrokerError({
    reason: new ClientUnsupported({
      client: "amqplib",
      found: versionFound() ?? "of an unknown version",
      known: knownVersions,
      detail
    })
  })

/** Fails before anything is connected when amqplib's version is not known. */
export const verifyVersion = (): Result.Result<void, BrokerError> => {
  const version = versionFound()
  return version === undefined || isKnown(version)
    ? Result.void
    : Result.fail(unsupported("its undocumented members may work differently"))
}

/** Fails when a connection, or a channel that amqplib would open on it, does not look as this file assumes. */
export const verify = (model: ChannelModel): Result.Result<void, BrokerError> => {
  const difference = differenceOf(model)
  return difference === undefined ? Result.void : Result.fail(unsupported(difference))
}

const differenceOf = (model: ChannelModel): string | undefined => {
  const connection = missing("connection", model.connection, connectionShape)
  if (connection !== undefined) return connection
  const { acks, channel } = sampleChannel(model)
  const member = missing("channel", channel, channelShape)
  if (member !== undefined) return member
  for (const event of ["ack", "nack", "close"])
    if (!hasListener(channel, event)) return `a channel has no listener for "${event}"`
  return acks.some(({ deliveryTag, multiple }) => deliveryTag === 1 && multiple === true)
    ? undefined
    : "an ack needs more than the delivery tag"
}

const missing = (
  name: string,
  value: unknown,
  shape: Readonly<Record<string, Predicate.Predicate<unknown>>>
): string | undefined => {
  const member = Object.keys(shape).find(
    (key) => !(Predicate.hasProperty(value, key) && shape[key]?.(value[key]) === true)
  )
  return member === undefined ? undefined : `${name}.${member} is missing or of another kind`
}

const hasListener = (channel: unknown, event: string): boolean =>
  Predicate.hasProperty(channel, "listenerCount") &&
  Predicate.isFunction(channel.listenerCount) &&
  Reflect.apply(channel.listenerCount, channel, [event]) > 0

/** A channel that amqplib opens on a stand-in for its connection: nothing is sent, and no round trip is spent. */
const sampleChannel = (model: ChannelModel) => {
  let channel: unknown
  const acks: Array<Readonly<Record<PropertyKey, unknown>>> = []
  const connection = {
    freshChannel: (opened: unknown): number => {
      channel = opened
      return 1
    },
    sendMethod: (_channel: unknown, _method: unknown, fields: unknown): void => {
      if (Predicate.isObject(fields)) acks.push(fields)
    }
  }
  try {
    // Its answer never comes. The methods of amqplib's classes are called on what stands in for a model.
    void Promise.resolve(Reflect.apply(model.createConfirmChannel, { connection }, [])).catch(() => {})
    if (Predicate.hasProperty(channel, "ack") && Predicate.isFunction(channel.ack))
      Reflect.apply(channel.ack, channel, [{ fields: { deliveryTag: 1 } }, true])
  } catch {
    // Reported as what is missing.
  }
  return { channel, acks }
}
