/**
 * One confirm channel, from its opening to its loss. It has its listeners before anything is sent on it, and its
 * loss is reported before what was in flight on it is answered.
 */
import type { ConfirmChannel } from "amqplib"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schedule from "effect/Schedule"
import type { InFlightMessage, SendOutcome } from "../../bus/port/Broker.ts"
import { BrokerError } from "../../bus/port/BrokerError.ts"
import { ConnectionFailed } from "../../bus/port/BrokerReason.ts"
import * as AmqplibInternals from "../AmqplibInternals.ts"
import { rejected, routed, unknown } from "../../bus/port/SendOutcome.ts"
import * as BoundedClose from "../connection/BoundedClose.ts"
import type { Link } from "../connection/Link.ts"
import * as ScopedChannel from "../connection/ScopedChannel.ts"
import * as ConfirmParser from "./ConfirmParser.ts"
import { Confirms } from "./Confirms.ts"
import { Frames } from "../frames/Frames.ts"
import * as Outlet from "../frames/Outlet.ts"
import * as Refusals from "./Refusals.ts"

export interface PublishChannel {
  readonly channel: ConfirmChannel
  /**
   * Sends a message in this turn; its `answered` is called once. Throws what `Frames.write` does, and
   * IllegalOperationError on a channel that is closed; nothing is sent then.
   */
  readonly publish: (method: Buffer, inFlight: InFlightMessage) => void
  /** Completes when the channel is gone, with what it was refused if it died of that. */
  readonly ended: Deferred.Deferred<Refusals.Refusal | undefined>
  readonly isOpen: () => boolean
  readonly close: Effect.Effect<void>
}

export const noChannel = new BrokerError({
  reason: new ConnectionFailed({ address: "RabbitMQ", detail: "no channel" })
})

const closeMillis = 2000

/**
 * Writes the frames of one turn together. They bypass amqplib's own queue of the channel, so that its other frames do
 * not wait for them.
 *
 * A write is deferred twice within the turn: here, which makes one buffer of many messages, and by the socket's cork,
 * which makes one system call of several channels' buffers. Both stay: without the cork, keys that spread over four
 * channels cost up to twice the CPU of a write, and one common deferral saves nothing that can be measured.
 */
const publisher = (channel: ConfirmChannel, frameMax: number, confirms: Confirms) => {
  const wire = new AmqplibInternals.ChannelWire(channel)
  const outlet = Outlet.make(
    wire.stream,
    (bytes, written) => wire.write(bytes, written),
    () => wire.canSend()
  )
  const frames = new Frames(wire.number, frameMax, outlet.take)
  let scheduled = false
  const discard = (): void => {
    frames.discard()
    outlet.discard()
  }
  const flush = (): void => {
    scheduled = false
    // Frames for a channel that has closed meanwhile would end the connection.
    if (wire.canSend()) frames.flush()
    else discard()
  }
  const publish: PublishChannel["publish"] = (method, inFlight) => {
    // amqplib's own publish throws, and says why the channel is closed.
    if (!wire.canSend()) channel.publish("", "", empty)
    frames.write(method, inFlight.message)
    confirms.push(inFlight)
    if (scheduled) return
    scheduled = true
    process.nextTick(flush)
  }
  return { publish, flush, discard }
}
const empty = Buffer.alloc(0)

/** The confirms go here instead of to amqplib, which does not know what is published here. */
const confirmsOf = (channel: ConfirmChannel): Confirms => {
  const confirms = new Confirms()
  const settle =
    (outcome: SendOutcome): ConfirmParser.Settle =>
    ({ deliveryTag, multiple }) =>
      confirms.settle(deliveryTag, multiple, outcome)
  ConfirmParser.read(channel, settle(routed), settle(rejected))
  channel.once("close", () => confirms.end(unknown))
  return confirms
}

/** Not closed on its own but with its connection: that would be one more wait on a line that hangs. */
const create = (link: Link): Effect.Effect<AmqplibInternals.OpenedChannel<ConfirmChannel>, BrokerError> =>
  Effect.tryPromise({
    try: () => AmqplibInternals.openChannel(link.model, () => link.model.createConfirmChannel()),
    catch: () => noChannel
  }).pipe(Effect.tap((opened) => ScopedChannel.stillOpen(link, opened)))

export const open = (
  link: Link,
  options: {
    readonly callMillis: number
    readonly onReturn: (exchange: string, routingKey: string, id: unknown) => void
    /**
     * Called when it is lost, with what it was refused and what is in flight, before that is answered. The function that
     * it returns runs afterwards.
     */
    readonly onLost: (channel: ConfirmChannel, refusal: Refusals.Refusal | undefined, confirms: Confirms) => () => void
  }
): Effect.Effect<PublishChannel, BrokerError> =>
  Effect.gen(function* () {
    const ended = yield* Deferred.make<Refusals.Refusal | undefined>()
    const opened = yield* create(link).pipe(
      Effect.retry({ times: 4, schedule: Schedule.spaced("20 millis") }),
      Effect.timeoutOrElse({ duration: options.callMillis, orElse: () => Effect.fail(noChannel) })
    )
    // Once more: it may have closed since. From here to the listeners below nothing yields, and they find what comes later.
    const channel = yield* ScopedChannel.stillOpen(link, opened)
    const confirms = confirmsOf(channel)
    const { discard, flush, publish } = publisher(channel, link.maxFrameBytes, confirms)
    let refusal: Refusals.Refusal | undefined
    let isOpen = true
    channel.on("error", (error: unknown) => {
      refusal = Refusals.read(error)
    })
    channel.on("return", ({ fields, properties }) =>
      options.onReturn(fields.exchange, fields.routingKey, properties.messageId)
    )
    // Before what was in flight is answered: no callback may find a dead channel here.
    AmqplibInternals.beforeClose(channel, () => {
      isOpen = false
      discard()
      const afterwards = options.onLost(channel, refusal, confirms)
      queueMicrotask(() => {
        afterwards()
        Deferred.doneUnsafe(ended, Exit.succeed(refusal))
      })
    })
    return {
      channel,
      publish,
      ended,
      isOpen: () => isOpen,
      close: BoundedClose.closeWithin(closeMillis, () => {
        flush()
        return channel.close()
      })
    }
  })
