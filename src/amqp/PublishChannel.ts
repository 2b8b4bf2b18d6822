/**
 * One confirm channel, from its opening to its loss. It has its listeners before anything is sent on
 * it, and whoever publishes on it hears of its loss before what was under way is answered.
 */
import type { ConfirmChannel } from "amqplib"
import { Deferred, Effect, Exit } from "effect"
import type { Outgoing } from "../bus/Broker.ts"
import { BrokerError, ConnectionFailed } from "../bus/BrokerError.ts"
import { Duplex } from "node:stream"
import { bounded, type Link } from "./Connection.ts"
import * as Confirms from "./Confirms.ts"
import * as Frames from "./Frames.ts"
import * as Outlet from "./Outlet.ts"
import * as Refusals from "./Refusals.ts"

export interface PublishChannel {
  readonly channel: ConfirmChannel
  /**
   * Sends a message in this turn; `answered` is told once. Throws what `Frames.write` does,
   * and IllegalOperationError on a channel that is closed; nothing is sent then.
   */
  readonly publish: (method: Buffer, message: Outgoing, answered: (answer: Confirms.Answer) => void) => void
  /** Says what it was refused, if that is what it died of. */
  readonly ended: Deferred.Deferred<Refusals.Refusal | undefined>
  readonly isOpen: () => boolean
  readonly close: Effect.Effect<void>
}

export const noChannel = new BrokerError({
  reason: new ConnectionFailed({ address: "RabbitMQ", detail: "no channel" })
})

const closeMillis = 2000

/** What amqplib has below its `publish`, and does not document; the version is exact. */
interface Inner {
  readonly ch: number
  /** Replaced when the channel closes, by one that throws. */
  readonly sendMessage: unknown
  readonly connection: {
    /** Replaced when the connection closes. */
    readonly sendMessage: unknown
    readonly stream: Duplex
    /** For its heartbeat. */
    sentSinceLastCheck: boolean
  }
}

const innerOf = (channel: ConfirmChannel): Inner => {
  // Checked below: it is an object of amqplib's.
  const inner = channel as unknown as Inner
  if (
    typeof inner.ch === "number" &&
    inner.connection.stream instanceof Duplex &&
    typeof inner.connection.sentSinceLastCheck === "boolean"
  )
    return inner
  throw new Error("this version of amqplib is not known: use the exact version that @eduflow/events depends on")
}

/** Writes the frames of a turn at once, past amqplib's own queue of the channel, whose other frames wait for none of them. */
const publisher = (channel: ConfirmChannel, frameMax: number, confirms: Confirms.Confirms) => {
  const inner = innerOf(channel)
  const { connection } = inner
  const send = inner.sendMessage
  const sendOfAll = connection.sendMessage
  const isUsable = (): boolean => inner.sendMessage === send && connection.sendMessage === sendOfAll
  const write = (bytes: Buffer, written: () => void): void => {
    connection.sentSinceLastCheck = true
    connection.stream.write(bytes, written)
  }
  const outlet = Outlet.make(connection.stream, write, isUsable)
  const frames = Frames.make(inner.ch, frameMax, outlet.take)
  let scheduled = false
  const discard = (): void => {
    frames.discard()
    outlet.discard()
  }
  const flush = (): void => {
    scheduled = false
    // On a channel that has closed meanwhile they would end the connection.
    if (isUsable()) frames.flush()
    else discard()
  }
  const publish: PublishChannel["publish"] = (method, message, answered) => {
    // amqplib's own says that it is closed, and why.
    if (!isUsable()) channel.publish("", "", empty)
    frames.write(method, message)
    confirms.push(answered)
    if (scheduled) return
    scheduled = true
    process.nextTick(flush)
  }
  return { publish, flush, discard }
}
const empty = Buffer.alloc(0)

/** Hears of confirms instead of amqplib, which never learns of what is published here. */
const confirmsOf = (channel: ConfirmChannel): Confirms.Confirms => {
  const confirms = Confirms.make()
  const hear =
    (answer: Confirms.Answer) =>
    ({ deliveryTag, multiple }: { readonly deliveryTag: number; readonly multiple: boolean }): void =>
      confirms.settle(deliveryTag, multiple, answer)
  channel.removeAllListeners("ack").on("ack", hear("ack"))
  channel.removeAllListeners("nack").on("nack", hear("nack"))
  channel.once("close", () => confirms.end("lost"))
  return confirms
}

export const open = (
  link: Link,
  options: {
    readonly callMillis: number
    readonly onReturn: (exchange: string, routingKey: string, id: unknown) => void
    /** Called before anybody can send again. */
    readonly onRefusal: (refusal: Refusals.Refusal) => void
    /** Called when it is lost; what it answers runs after all that was under way was answered. */
    readonly onLost: (channel: ConfirmChannel) => () => void
  }
): Effect.Effect<PublishChannel, BrokerError> =>
  Effect.gen(function* () {
    // Not closed apart from its connection: that would be one more wait on a line that hangs.
    const channel = yield* Effect.tryPromise({
      try: () => link.model.createConfirmChannel().then((made) => made.on("error", () => {})),
      catch: () => noChannel
    }).pipe(Effect.timeoutOrElse({ duration: options.callMillis, orElse: () => Effect.fail(noChannel) }))
    const confirms = confirmsOf(channel)
    const { discard, flush, publish } = publisher(channel, link.frameMax, confirms)
    const ended = yield* Deferred.make<Refusals.Refusal | undefined>()
    let refusal: Refusals.Refusal | undefined
    let isOpen = true
    channel.on("error", (error: unknown) => {
      refusal = Refusals.read(error)
      if (refusal !== undefined) options.onRefusal(refusal)
    })
    channel.on("return", ({ fields, properties }) =>
      options.onReturn(fields.exchange, fields.routingKey, properties.messageId)
    )
    // Before what was open is answered: no callback may find a dead channel here.
    channel.prependOnceListener("close", () => {
      isOpen = false
      discard()
      const afterwards = options.onLost(channel)
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
      close: bounded(() => {
        flush()
        return channel.close()
      }, closeMillis)
    }
  })
