/** A channel that is closed with its scope. */
import type { Channel } from "amqplib"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import { BrokerError } from "../../bus/port/BrokerError.ts"
import { ConnectionFailed } from "../../bus/port/BrokerReason.ts"
import * as AmqplibInternals from "../AmqplibInternals.ts"
import * as BoundedClose from "./BoundedClose.ts"
import type { Link } from "./Link.ts"

const closeMillis = 2000

/**
 * Opens a channel. `beforeClose` runs when the scope ends; the channel closes when it has completed or failed.
 */
export const open = (
  link: Link,
  beforeClose: () => Promise<void> = async () => {}
): Effect.Effect<Channel, BrokerError, Scope.Scope> =>
  Effect.suspend(() => {
    let opened: Channel | undefined
    let isAbandoned = false
    const abandon = (): void => {
      isAbandoned = true
      opened?.close().catch(() => {})
    }
    const opening = async (): Promise<AmqplibInternals.OpenedChannel<Channel>> => {
      const made = await AmqplibInternals.openChannel(link.model, () => link.model.createChannel())
      opened = made.channel
      // Opened after its caller gave up: the connection would keep it.
      if (isAbandoned) abandon()
      return made
    }
    return Effect.acquireRelease(
      Effect.onExit(link.call("opening a channel", "a channel", opening), (exit) =>
        Exit.isSuccess(exit) ? Effect.void : Effect.sync(abandon)
      ).pipe(Effect.flatMap((made) => stillOpen(link, made))),
      (channel) =>
        BoundedClose.closeWithin(closeMillis, async () => {
          await beforeClose().catch(() => {})
          await channel.close()
        }),
      // A caller that closes meanwhile does not wait for a broker that hangs.
      { interruptible: true }
    )
  })

/** The channel; fails when RabbitMQ closed it while it was opened. */
export const stillOpen = <C extends Channel>(
  { address }: Link,
  { channel, closed }: AmqplibInternals.OpenedChannel<C>
): Effect.Effect<C, BrokerError> =>
  Effect.suspend(() => {
    const reason = closed()
    if (reason === undefined) return Effect.succeed(channel)
    const detail = `a channel was closed while it was opened: ${reason.message}`
    return Effect.fail(new BrokerError({ reason: new ConnectionFailed({ address, detail }) }))
  })
