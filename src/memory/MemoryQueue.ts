/**
 * One queue of the embedded broker, which behaves like a quorum queue: competing or single active consumers, prefetch,
 * and readers that take one message at a time. A message that comes back unsettled goes before everything that was not
 * delivered yet, with its count raised; beyond the delivery limit it leaves the queue. A queue knows no addresses, no
 * clients and no time.
 */
import type { Outgoing } from "../bus/port/Broker.ts"
import type * as RenewedSet from "../bus/support/RenewedSet.ts"
import * as Deque from "./Deque.ts"

/**
 * The place of a message that came back among others that came back: its old one, or behind them as in RabbitMQ 3.10.
 * There the first of six that returned together, taken alone and returned again, is the last of the six.
 */
export type Returns = "in-place" | "behind"

/** A class and not a literal: see bus/port/OutgoingMessage.ts. */
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

/** A consumer or reader, which has messages of a queue until they are settled. */
export interface Holder {
  /** In the order of delivery. */
  readonly unacked: RenewedSet.RenewedSet<Stored>
}

/** A consumer as its queue sees it. */
export interface QueueConsumer extends Holder {
  /** 0 is no bound. */
  readonly prefetch: number
  readonly deliver: (stored: Stored) => void
  /** Called when the queue is gone, or the broker ends its deliveries. */
  readonly dropped: (why: "deleted" | "cancelled") => void
  /** Counts against the prefetch in this turn: like over a network, an ack makes room in the next one. */
  taken: number
  cancelled: boolean
  /** Whether no other consumer may be added. */
  readonly exclusive?: boolean
}

export interface MemoryQueueOptions {
  readonly name: string
  readonly singleActive: boolean
  /** How often a message may come back. */
  readonly deliveryLimit: number
  readonly returns: Returns
  /** Asks for a pump in the next turn. */
  readonly wake: (queue: MemoryQueue) => void
  /** Called with a message that came back too often, or was rejected. */
  readonly dead: (stored: Stored, reason: "delivery_limit" | "rejected") => void
  /** Whether it dead-letters messages. */
  readonly rejects: boolean
}

export class MemoryQueue {
  readonly name: string
  readonly singleActive: boolean
  readonly rejects: boolean
  private readonly options: MemoryQueueOptions
  /** Messages that came back; they are delivered first. */
  private readonly returned = Deque.make<Stored>()
  private readonly fresh = Deque.make<Stored>()
  private readonly attached: Array<QueueConsumer> = []
  private positions = 0
  private held = 0
  private turn = 0
  private isDropped = false

  constructor(options: MemoryQueueOptions) {
    this.options = options
    this.name = options.name
    this.singleActive = options.singleActive
    this.rejects = options.rejects
  }

  /** `extra` are headers that the broker adds. */
  push(message: Outgoing, extra?: Stored["extra"]): void {
    this.fresh.push(new Stored(message, this.positions++, extra))
    this.wake()
  }

  /** The next message, held by a reader. */
  take(holder: Holder): Stored | undefined {
    const stored = this.returned.shift() ?? this.fresh.shift()
    if (stored === undefined) return undefined
    holder.unacked.add(stored)
    this.held++
    return stored
  }

  add(consumer: QueueConsumer): void {
    this.attached.push(consumer)
    this.wake()
  }

  /** Whether a consumer would not be alone that has to be, because it or another one asks for it. */
  isTaken(exclusive: boolean): boolean {
    return this.attached.some((one) => isLive(one) && (exclusive || one.exclusive === true))
  }

  /** Stops deliveries to it; it keeps what it holds. */
  cancel(consumer: QueueConsumer): void {
    consumer.cancelled = true
    this.wake()
  }

  /** Removes a consumer, and takes back what it holds. */
  remove(consumer: QueueConsumer): void {
    const at = this.attached.indexOf(consumer)
    if (at >= 0) this.attached.splice(at, 1)
    // The turn stays with the consumer that had it.
    if (at >= 0 && at < this.turn) this.turn--
    this.release(consumer)
  }

  /** Returns false when the holder did not have it any more. */
  settle(holder: Holder, stored: Stored): boolean {
    if (!holder.unacked.delete(stored)) return false
    this.held--
    this.wake()
    return true
  }

  /** Dead-letters the message at this place; returns false when the holder did not have it any more. */
  reject(holder: Holder, position: number): boolean {
    for (const stored of holder.unacked) {
      if (stored.position !== position) continue
      this.settle(holder, stored)
      this.options.dead(stored, "rejected")
      return true
    }
    return false
  }

  /** Takes back what a holder has. */
  release(holder: Holder): void {
    const back = [...holder.unacked]
    holder.unacked.clear()
    this.held -= back.length
    if (this.isDropped || back.length === 0) return this.wake()
    for (const stored of back) stored.returns++
    const { dead, deliveryLimit, returns } = this.options
    const kept = back.filter((stored) => stored.returns <= deliveryLimit)
    const all = [...this.returned.toArray(), ...kept]
    this.returned.clear()
    for (const stored of returns === "in-place" ? all.sort(byPosition) : all) this.returned.push(stored)
    for (const stored of back.sort(byPosition)) if (stored.returns > deliveryLimit) dead(stored, "delivery_limit")
    this.wake()
  }

  /** Delivers what can be delivered in this turn. */
  pump(): void {
    for (const consumer of this.attached) consumer.taken = consumer.unacked.size
    // All are handed out before the first is delivered: a consumer that is lost while it handles one had the
    // others too.
    const holders: Array<QueueConsumer> = []
    const handed: Array<Stored> = []
    while (this.ready() > 0) {
      const consumer = this.next()
      const stored = consumer && this.take(consumer)
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
  }

  ready(): number {
    return this.returned.size() + this.fresh.size()
  }

  unacked(): number {
    return this.held
  }

  /** How many consumers are not cancelled. */
  consumers(): number {
    return this.attached.reduce((count, { cancelled }) => (cancelled ? count : count + 1), 0)
  }

  /** The broker cancels every consumer, which is notified. */
  cancelAll(): void {
    for (const consumer of this.attached.filter(isLive)) consumer.dropped("cancelled")
  }

  /** The queue is deleted: it loses everything, and its consumers are notified. */
  drop(): void {
    this.isDropped = true
    this.returned.clear()
    this.fresh.clear()
    // A consumer that cancelled asked for the end and is not notified; the others remove themselves.
    for (const consumer of this.attached.filter(isLive)) consumer.dropped("deleted")
    this.wake()
  }

  private wake(): void {
    this.options.wake(this)
  }

  private next(): QueueConsumer | undefined {
    const { attached } = this
    if (this.singleActive) {
      // Only the first that is not cancelled is active; the others stand by.
      const active = attached.find(isLive)
      return active !== undefined && hasRoom(active) ? active : undefined
    }
    for (let i = 0; i < attached.length; i++) {
      const at = (this.turn + i) % attached.length
      const consumer = attached[at]
      if (consumer !== undefined && hasRoom(consumer)) {
        this.turn = at + 1
        return consumer
      }
    }
    return undefined
  }
}

const isLive = ({ cancelled }: QueueConsumer): boolean => !cancelled

const hasRoom = (consumer: QueueConsumer): boolean =>
  !consumer.cancelled && (consumer.prefetch === 0 || consumer.taken < consumer.prefetch)

const byPosition = (a: Stored, b: Stored): number => a.position - b.position
