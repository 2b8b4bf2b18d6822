/**
 * A client's consumer of one queue of the embedded broker. It ends with its scope, or is lost: with
 * its client, or with its queue. What it holds then goes back, in order, and its deliveries are lost.
 */
import { Effect, type Scope } from "effect"
import type { Consumer, ConsumeOptions } from "../bus/Broker.ts"
import { BrokerError, BrokerRefused } from "../bus/BrokerError.ts"
import * as MemoryDelivery from "./MemoryDelivery.ts"
import type { MemoryQueue, QueueConsumer } from "./MemoryQueue.ts"

/** What a client knows of all that it has open. */
export interface Client {
  /** How to end each of them when the client goes. */
  readonly open: Set<(error: BrokerError) => void>
  /** Acknowledgements that came twice or too late. */
  late: number
}

/** Acknowledges what a holder has; each is settled once, by whoever is not lost. */
export const acknowledger = (client: Client, lost: () => boolean, settle: () => boolean) => (): void => {
  if (lost() || !settle()) client.late++
}

export const make = (
  client: Client,
  queue: MemoryQueue,
  { onDelivery, onLost, prefetch }: Omit<ConsumeOptions, "subscriber">,
  /** Called when it takes no more deliveries, for whatever reason. */
  onEnd: () => void = () => {}
): Effect.Effect<Consumer, never, Scope.Scope> =>
  Effect.gen(function* () {
    let gone = false
    const lost = (): boolean => gone
    const end = (error: BrokerError | undefined): void => {
      if (gone) return
      gone = true
      client.open.delete(end)
      queue.remove(consumer)
      onEnd()
      if (error !== undefined) onLost(error)
    }
    const consumer: QueueConsumer = {
      prefetch,
      unacked: new Set(),
      taken: 0,
      cancelled: false,
      deliver: (stored) =>
        onDelivery(
          MemoryDelivery.make(
            stored,
            lost,
            acknowledger(client, lost, () => queue.settle(consumer, stored))
          )
        ),
      dropped: () => end(deleted)
    }
    yield* Effect.acquireRelease(
      Effect.sync(() => {
        client.open.add(end)
        queue.add(consumer)
      }),
      () => Effect.sync(() => end(undefined))
    )
    return {
      cancel: Effect.sync(() => {
        if (gone || consumer.cancelled) return
        queue.cancel(consumer)
        onEnd()
      })
    }
  })

const deleted = new BrokerError({
  reason: new BrokerRefused({
    operation: "consume",
    detail: "the broker cancelled the consumer: its queue was deleted"
  })
})
