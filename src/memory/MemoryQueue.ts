/**
 * One queue of the embedded broker, as a quorum queue does it: competing or single active consumers,
 * prefetch, and readers that take one message at a time. What comes back unsettled goes before
 * everything that was not delivered yet, with its count raised; beyond the delivery limit it leaves the
 * queue. It knows no addresses, no clients and no time.
 */
import type { Outgoing } from "../bus/Broker.ts"
import type * as Population from "../bus/Population.ts"
import * as Deque from "./Deque.ts"

/**
 * Where a message that came back stands among others that came back: where it stood, or behind them, as
 * RabbitMQ 3.10 has it. There the first of six that returned together, taken alone and returned again,
 * is the last of the six.
 */
export type Returns = "in place" | "behind"

/** A class and no literal, as `bus/Message` says. */
export class Stored {
  readonly message: Outgoing
  /** Its place in the queue. */
  readonly position: number
  /** How often it came back. */
  returns = 0
  /** Headers that the broker itself added. */
  readonly extra: Readonly<Record<string, unknown>> | undefined

  constructor(message: Outgoing, position: number, extra: Stored["extra"]) {
    this.message = message
    this.position = position
    this.extra = extra
  }
}

/** Who has messages of a queue until they are settled. */
export interface Holder {
  /** In the order of delivery. */
  readonly unacked: Population.Population<Stored>
}

/** A consumer as its queue sees it. */
export interface QueueConsumer extends Holder {
  /** 0 is without a bound. */
  readonly prefetch: number
  readonly deliver: (stored: Stored) => void
  /** Told when the queue is gone, or the broker ends its deliveries. */
  readonly dropped: (why: "deleted" | "cancelled") => void
  /** Counts against the prefetch in this turn: like over a network, an ack makes room in the next one. */
  taken: number
  cancelled: boolean
}

export interface MemoryQueue {
  readonly name: string
  readonly singleActive: boolean
  /** `extra` are headers that the broker adds. */
  readonly push: (message: Outgoing, extra?: Stored["extra"]) => void
  /** The next message, held by a reader. */
  readonly take: (holder: Holder) => Stored | undefined
  readonly add: (consumer: QueueConsumer) => void
  /** Stops deliveries to it; what it holds stays with it. */
  readonly cancel: (consumer: QueueConsumer) => void
  /** Takes a consumer away, and back what it holds. */
  readonly remove: (consumer: QueueConsumer) => void
  /** False when the holder did not have it any more. */
  readonly settle: (holder: Holder, stored: Stored) => boolean
  /** Takes back what a holder has. */
  readonly release: (holder: Holder) => void
  /** Delivers what can be delivered in this turn. */
  readonly pump: () => void
  readonly ready: () => number
  readonly unacked: () => number
  /** How many consumers are not cancelled. */
  readonly consumers: () => number
  /** Every consumer is cancelled by the broker, and told. */
  readonly cancelAll: () => void
  /** The queue is deleted: it loses everything, and tells its consumers. */
  readonly drop: () => void
}

export const make = (options: {
  readonly name: string
  readonly singleActive: boolean
  /** How often a message may come back. */
  readonly deliveryLimit: number
  readonly returns: Returns
  /** Asks for a pump in the next turn. */
  readonly wake: (queue: MemoryQueue) => void
  readonly beyondLimit: (stored: Stored) => void
}): MemoryQueue => {
  // What came back is delivered first.
  const returned = Deque.make<Stored>()
  const fresh = Deque.make<Stored>()
  const consumers: Array<QueueConsumer> = []
  let positions = 0
  let unacked = 0
  let turn = 0
  let gone = false

  const ready = (): number => returned.size() + fresh.size()
  const hungry = (consumer: QueueConsumer): boolean =>
    !consumer.cancelled && (consumer.prefetch === 0 || consumer.taken < consumer.prefetch)
  const next = (): QueueConsumer | undefined => {
    if (options.singleActive) {
      // Only the first that is not cancelled is active; the others stand by.
      const active = consumers.find(({ cancelled }) => !cancelled)
      return active !== undefined && hungry(active) ? active : undefined
    }
    for (let i = 0; i < consumers.length; i++) {
      const at = (turn + i) % consumers.length
      const consumer = consumers[at]
      if (consumer !== undefined && hungry(consumer)) {
        turn = at + 1
        return consumer
      }
    }
    return undefined
  }
  const take = (holder: Holder): Stored | undefined => {
    const stored = returned.shift() ?? fresh.shift()
    if (stored === undefined) return undefined
    holder.unacked.add(stored)
    unacked++
    return stored
  }

  const queue: MemoryQueue = {
    name: options.name,
    singleActive: options.singleActive,
    push: (message, extra) => {
      fresh.push(new Stored(message, positions++, extra))
      options.wake(queue)
    },
    take,
    add: (consumer) => {
      consumers.push(consumer)
      options.wake(queue)
    },
    cancel: (consumer) => {
      consumer.cancelled = true
      options.wake(queue)
    },
    remove: (consumer) => {
      const at = consumers.indexOf(consumer)
      if (at >= 0) consumers.splice(at, 1)
      // The turn stays with the consumer that had it.
      if (at >= 0 && at < turn) turn--
      queue.release(consumer)
    },
    settle: (holder, stored) => {
      if (!holder.unacked.delete(stored)) return false
      unacked--
      options.wake(queue)
      return true
    },
    release: (holder) => {
      const back = [...holder.unacked]
      holder.unacked.clear()
      unacked -= back.length
      if (gone || back.length === 0) return options.wake(queue)
      for (const stored of back) stored.returns++
      const kept = back.filter(({ returns }) => returns <= options.deliveryLimit)
      const all = [...returned.toArray(), ...kept]
      returned.clear()
      for (const stored of options.returns === "in place" ? all.sort(byPosition) : all) returned.push(stored)
      for (const stored of back.sort(byPosition))
        if (stored.returns > options.deliveryLimit) options.beyondLimit(stored)
      options.wake(queue)
    },
    pump: () => {
      for (const consumer of consumers) consumer.taken = consumer.unacked.size
      // All are handed out before the first arrives: who goes on hearing of one had the others too.
      const holders: Array<QueueConsumer> = []
      const handed: Array<Stored> = []
      while (ready() > 0) {
        const consumer = next()
        const stored = consumer && take(consumer)
        if (consumer === undefined || stored === undefined) break
        consumer.taken++
        holders.push(consumer)
        handed.push(stored)
      }
      for (let i = 0; i < handed.length; i++) {
        const consumer = holders[i]
        const stored = handed[i]
        if (consumer !== undefined && stored !== undefined && consumer.unacked.has(stored)) consumer.deliver(stored)
      }
    },
    ready,
    unacked: () => unacked,
    consumers: () => consumers.reduce((count, { cancelled }) => (cancelled ? count : count + 1), 0),
    cancelAll: () => {
      for (const consumer of consumers.filter(({ cancelled }) => !cancelled)) consumer.dropped("cancelled")
    },
    drop: () => {
      gone = true
      returned.clear()
      fresh.clear()
      // Who cancelled asked for the end and is told nothing; who is told takes itself away.
      for (const consumer of consumers.filter(({ cancelled }) => !cancelled)) consumer.dropped("deleted")
      options.wake(queue)
    }
  }
  return queue
}

const byPosition = (a: Stored, b: Stored): number => a.position - b.position
