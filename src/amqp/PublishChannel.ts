/**
 * One confirm channel, from its opening to its loss. It has its listeners before anything is sent on
 * it, and whoever publishes on it hears of its loss before amqplib answers what was under way.
 */
import type { ConfirmChannel } from "amqplib"
import { Deferred, Effect, Exit } from "effect"
import { BrokerError, ConnectionFailed } from "../bus/BrokerError.ts"
import { bounded, type Link } from "./Connection.ts"
import * as Refusals from "./Refusals.ts"

export interface PublishChannel {
  readonly channel: ConfirmChannel
  /** Says what it was refused, if that is what it died of. */
  readonly ended: Deferred.Deferred<Refusals.Refusal | undefined>
  readonly isOpen: () => boolean
  readonly close: Effect.Effect<void>
}

export const noChannel = new BrokerError({
  reason: new ConnectionFailed({ address: "RabbitMQ", detail: "no channel" })
})

const closeMillis = 2000

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
    // Before amqplib's own listener answers what was open: no callback may find a dead channel here.
    channel.prependOnceListener("close", () => {
      isOpen = false
      const afterwards = options.onLost(channel)
      queueMicrotask(() => {
        afterwards()
        Deferred.doneUnsafe(ended, Exit.succeed(refusal))
      })
    })
    return {
      channel,
      ended,
      isOpen: () => isOpen,
      close: bounded(() => channel.close(), closeMillis)
    }
  })
