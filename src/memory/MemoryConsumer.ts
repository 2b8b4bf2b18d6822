/**
 * A client's consumer of one queue of the embedded broker. It ends with its scope, or is lost: with
 * its client, or with its queue. What it holds then goes back, in order, and its deliveries are lost.
 */
import { Effect, type Scope } from "effect"
import type { Consumer, ConsumeOptions } from "../bus/Broker.ts"
import { BrokerError, BrokerRefused } from "../bus/BrokerError.ts"
import * as Population from "../bus/Population.ts"
import type { LinkFaults } from "./Connections.ts"
import { MemoryDelivery, type Receiver } from "./MemoryDelivery.ts"
import type { MemoryQueue, QueueConsumer, Stored } from "./MemoryQueue.ts"

/** Something that a client has open, and that goes with it. */
export interface Open {
  /** What it has goes back, and it can settle nothing any more. */
  readonly end: () => void
  readonly tell: (error: BrokerError) => void
}

/** What a client knows of all that it has open. */
export interface Client {
  readonly open: Set<Open>
  readonly faults: LinkFaults | undefined
  /** Acknowledgements that came twice or too late. */
  late: number
}

/** Each is settled once, by whoever is not lost; other acknowledgements are counted. */
export const counted = (client: Client, settled: boolean): void => {
  if (!settled) client.late++
}

export const make = (
  client: Client,
  queue: MemoryQueue,
  { onDelivery, onLost, prefetch }: Omit<ConsumeOptions, "subscriber" | "queue">,
  /** Called when it takes no more deliveries, for whatever reason. */
  onEnd: () => void = () => {}
): Effect.Effect<Consumer, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { faults } = client
    let gone = false
    const end = (): void => {
      if (gone) return
      gone = true
      client.open.delete(open)
      queue.remove(consumer)
      onEnd()
    }
    const lose = (error: BrokerError): void => {
      if (gone) return
      end()
      onLost(error)
    }
    const open: Open = { end, tell: onLost }
    const settle = (stored: Stored): boolean => queue.settle(consumer, stored)
    const cancel = (): void => lose(cancelled)
    const receiver: Receiver = {
      lost: () => gone,
      acknowledge:
        faults === undefined
          ? (stored) => counted(client, !gone && settle(stored))
          : (stored) =>
              counted(
                client,
                !gone &&
                  consumer.unacked.has(stored) &&
                  faults.acknowledged(stored.message.properties.messageId, () => settle(stored), cancel)
              )
    }
    const consumer: QueueConsumer = {
      prefetch,
      unacked: Population.make(),
      taken: 0,
      cancelled: false,
      deliver: (stored) => {
        onDelivery(new MemoryDelivery(stored, receiver))
        faults?.delivered(stored.message.properties.messageId, cancel)
      },
      dropped: (why) => lose(why === "deleted" ? deleted : cancelled)
    }
    yield* Effect.acquireRelease(
      Effect.sync(() => {
        client.open.add(open)
        queue.add(consumer)
      }),
      () => Effect.sync(end)
    )
    return {
      cancel: Effect.sync(() => {
        if (gone || consumer.cancelled) return
        queue.cancel(consumer)
        onEnd()
      })
    }
  })

const ended = (why: string): BrokerError =>
  new BrokerError({
    reason: new BrokerRefused({ operation: "consume", detail: `the broker cancelled the consumer${why}` })
  })
const deleted = ended(": its queue was deleted")
const cancelled = ended("")
