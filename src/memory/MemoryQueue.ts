/**
 * One queue of the embedded broker, as a quorum queue does it: competing or single active consumers,
 * prefetch, what comes back goes to the front with its count raised, and beyond the delivery limit to
 * the dead letters.
 */
import type { Outgoing } from "../bus/Broker.ts"
import * as Deque from "./Deque.ts"

export interface Stored {
  readonly message: Outgoing
  /** Sent by the runtime to this subscriber: its `bus-*` headers are believed. */
  readonly trusted: boolean
  /** How often it came back. */
  returns: number
  /** Headers that the broker itself adds. */
  readonly extra: Readonly<Record<string, unknown>> | undefined
}

/** A consumer as its queue sees it. */
export interface QueueConsumer {
  readonly prefetch: number
  readonly deliver: (stored: Stored) => void
  /** Told when the queue is gone. */
  readonly cancelled: () => void
  /** What it holds, in the order of delivery. */
  readonly unacked: Set<Stored>
  cancelling: boolean
}

export interface MemoryQueue {
  readonly name: string
  readonly singleActive: boolean
  readonly push: (stored: Stored) => void
  readonly take: () => Stored | undefined
  readonly add: (consumer: QueueConsumer) => void
  /** Stops deliveries to it; what it holds stays with it. */
  readonly cancel: (consumer: QueueConsumer) => void
  /** Takes it away, and what it holds back. */
  readonly remove: (consumer: QueueConsumer) => void
  readonly giveBack: (items: Iterable<Stored>) => void
  readonly pump: () => void
  /** Asks for a pump: somebody has room again. */
  readonly wake: () => void
  readonly ready: () => number
  readonly unacked: () => number
  readonly consumers: () => ReadonlyArray<QueueConsumer>
  readonly drop: () => void
}

export const make = (options: {
  readonly name: string
  readonly singleActive: boolean
  readonly deliveryLimit: number
  /** Asks for a pump in the next hop. */
  readonly wake: (queue: MemoryQueue) => void
  readonly beyondLimit: (stored: Stored) => void
}): MemoryQueue => {
  const items = Deque.make<Stored>()
  const consumers: Array<QueueConsumer> = []
  const readers = new Set<QueueConsumer>()
  let turn = 0

  const hungry = (consumer: QueueConsumer): boolean => !consumer.cancelling && consumer.unacked.size < consumer.prefetch
  const next = (): QueueConsumer | undefined => {
    // Only the first that is not cancelled is active; the others stand by.
    if (options.singleActive) {
      const active = consumers.find((consumer) => !consumer.cancelling)
      return active !== undefined && hungry(active) ? active : undefined
    }
    for (let i = 0; i < consumers.length; i++) {
      const consumer = consumers[(turn + i) % consumers.length]
      if (consumer !== undefined && hungry(consumer)) {
        turn = (turn + i + 1) % consumers.length
        return consumer
      }
    }
    return undefined
  }

  const queue: MemoryQueue = {
    name: options.name,
    singleActive: options.singleActive,
    push: (stored) => {
      items.push(stored)
      options.wake(queue)
    },
    take: items.shift,
    add: (consumer) => {
      consumers.push(consumer)
      readers.add(consumer)
      options.wake(queue)
    },
    cancel: (consumer) => {
      consumer.cancelling = true
      options.wake(queue)
    },
    remove: (consumer) => {
      const at = consumers.indexOf(consumer)
      if (at >= 0) consumers.splice(at, 1)
      readers.delete(consumer)
      queue.giveBack(consumer.unacked)
      consumer.unacked.clear()
    },
    giveBack: (held) => {
      // The last one first, so that the oldest ends at the front.
      for (const stored of [...held].toReversed()) {
        stored.returns++
        if (stored.returns > options.deliveryLimit) options.beyondLimit(stored)
        else items.pushFront(stored)
      }
      options.wake(queue)
    },
    pump: () => {
      while (items.size() > 0) {
        const consumer = next()
        if (consumer === undefined) return
        const stored = items.shift()
        if (stored === undefined) return
        consumer.unacked.add(stored)
        consumer.deliver(stored)
      }
    },
    wake: () => {
      if (items.size() > 0) options.wake(queue)
    },
    ready: items.size,
    unacked: () => {
      let count = 0
      for (const consumer of readers) count += consumer.unacked.size
      return count
    },
    consumers: () => consumers.filter((consumer) => !consumer.cancelling),
    drop: () => {
      for (const consumer of consumers.splice(0)) consumer.cancelled()
    }
  }
  return queue
}
