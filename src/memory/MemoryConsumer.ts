/**
 * A client's consumer of one queue of the embedded broker. It ends with its scope, or is lost with its client or its
 * queue. What it holds then goes back, in order, and its deliveries are lost.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Consumer, ConsumeOptions, Delivery, Outgoing } from "../bus/port/Broker.ts"
import { BrokerError } from "../bus/port/BrokerError.ts"
import { BrokerRefused } from "../bus/port/BrokerReason.ts"
import * as RenewedSet from "../bus/support/RenewedSet.ts"
import type { LinkFaults } from "./Connections.ts"
import { MemoryDelivery, type Receiver } from "./MemoryDelivery.ts"
import type { MemoryQueue, QueueConsumer, Stored } from "./MemoryQueue.ts"
import type { OpenPart, Session } from "./Session.ts"

interface MemoryConsumeOptions extends Omit<ConsumeOptions, "subscriber" | "queue"> {
  readonly exclusive?: boolean
}

/** Lives as long as the current scope. */
export const make = (
  session: Session,
  faults: LinkFaults | undefined,
  queue: MemoryQueue,
  { exclusive = false, onDelivery, onLost, prefetch, withRoute = false }: MemoryConsumeOptions,
  /** Called when it takes no more deliveries, whatever the reason. */
  onEnd: () => void = () => {}
): Effect.Effect<Consumer, never, Scope.Scope> =>
  Effect.gen(function* () {
    let gone = false
    const end = (): void => {
      if (gone) return
      gone = true
      session.delete(part)
      queue.remove(consumer)
      onEnd()
    }
    const lose = (error: BrokerError): void => {
      if (gone) return
      end()
      onLost(error)
    }
    const part: OpenPart = { end, onLost }
    const settle = (stored: Stored): boolean => queue.settle(consumer, stored)
    const cancel = (): void => lose(cancelled)
    const receiver: Receiver = {
      lost: () => gone,
      reject: queue.rejects ? ({ tag = -1 }) => session.acknowledged(!gone && queue.reject(consumer, tag)) : undefined,
      acknowledge:
        faults === undefined
          ? (stored) => session.acknowledged(!gone && settle(stored))
          : (stored) =>
              session.acknowledged(
                !gone &&
                  consumer.unacked.has(stored) &&
                  faults.acknowledged(stored.message.properties.messageId, () => settle(stored), cancel)
              )
    }
    const consumer: QueueConsumer = {
      prefetch,
      unacked: RenewedSet.make(),
      taken: 0,
      cancelled: false,
      exclusive,
      deliver: (stored) => {
        const delivery = new MemoryDelivery(stored, receiver)
        onDelivery(withRoute ? routed(delivery, stored.message) : delivery)
        faults?.delivered(stored.message.properties.messageId, cancel)
      },
      dropped: (why) => lose(why === "deleted" ? deleted : cancelled)
    }
    yield* Effect.acquireRelease(
      Effect.sync(() => {
        session.add(part)
        queue.add(consumer)
      }),
      () => Effect.sync(end)
    )
    return {
      cancel: Effect.sync(() => {
        if (gone || consumer.cancelled) return
        queue.cancel(consumer)
        onEnd()
      }),
      // An acknowledgement settles at once.
      flush: () => true
    }
  })

const routed = (delivery: MemoryDelivery, { to }: Outgoing): Delivery =>
  to._tag === "Foreign" ? { ...delivery, route: { exchange: to.exchange, routingKey: to.routingKey } } : delivery

const ended = (why: string): BrokerError =>
  new BrokerError({
    reason: new BrokerRefused({ operation: "consume", detail: `the broker cancelled the consumer${why}` })
  })
const deleted = ended(": its queue was deleted")
const cancelled = ended("")
