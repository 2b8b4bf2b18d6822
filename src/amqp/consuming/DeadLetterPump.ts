/**
 * Takes messages out of a queue one at a time, on a channel that holds them until they are settled or it closes.
 * It consumes by windows: a consumer whose whole window is held gets nothing more and is followed by another one.
 * A reader that acknowledges what it takes needs two of them, which are filled again and again.
 *
 * Messages that go back keep their order: within one consumer always, within 32 by their tags, and beyond them
 * window by window. `basic.get` would not keep it: a quorum queue (3.10) takes those messages back in the order of
 * their delivery tags as texts, the tenth behind the first. Nor would a nack of more than 32.
 */
import type { Channel, Message } from "amqplib"
import * as AmqplibInternals from "../AmqplibInternals.ts"
import * as AckBarrier from "./AckBarrier.ts"
import * as AckTable from "./AckTable.ts"

/** Bounded, because bodies may be large: as many as a subscriber holds when the first ones were small. */
const window = { first: 64, most: 250, bytes: 8 * 1024 * 1024 }
/** How often a queue must look empty when fewer messages came than were expected. */
const emptyLooks = 20
/** Messages on their way arrive meanwhile: each look costs the broker as much as a message. */
const pauseMillis = 5

const idle = (): void => {}

interface Waiter {
  readonly resolve: (message: Message | undefined) => void
  readonly reject: (error: unknown) => void
}

interface Consumer {
  readonly tag: string
  readonly window: number
  /** The tags of messages that take room in its window. */
  readonly held: Set<number>
  /** The tags of messages that are settled when it is cancelled. */
  readonly deferred: Set<number>
  cancelled: Promise<void> | undefined
}

export class DeadLetterPump {
  private readonly channel: Channel
  private readonly queue: string
  private readonly expected: number
  private readonly asked: Readonly<Record<string, number>>
  private readonly onCancelled: () => void
  private readonly table: AckTable.AckTable
  private readonly buffer: Array<Message> = []
  private readonly waiters: Array<Waiter> = []
  /** The one that may get more; the others hold their whole windows. */
  private consumer: Consumer | undefined
  /** All that are not cancelled. */
  private readonly live = new Set<Consumer>()
  private consumers = 0
  private arrived = 0
  /** How often the queue looked empty since the last message. */
  private empties = 0
  private largest = 0
  private isPumping = false
  private isDeferring = false
  /** Ends a pause. */
  private wake = idle

  /**
   * `expected` is how many messages there were: a hint, others may take them. `asked` are the arguments of each consumer.
   * `onCancelled` is called when the broker
   * cancels a consumer: it has taken back what that one held.
   */
  constructor(
    channel: Channel,
    queue: string,
    expected: number,
    asked: Readonly<Record<string, number>>,
    onCancelled: () => void
  ) {
    this.channel = channel
    this.asked = asked
    this.queue = queue
    this.expected = expected
    this.onCancelled = onCancelled
    this.table = AckTable.make((deliveryTag, upTo) => AmqplibInternals.ack(channel, deliveryTag, upTo))
  }

  /** The next message, if it is here already. */
  ready(): Message | undefined {
    return this.buffer.shift()
  }

  /** The next message, or undefined when there is none. */
  take(): Promise<Message | undefined> {
    const message = this.buffer.shift()
    if (message !== undefined) return Promise.resolve(message)
    return new Promise((resolve, reject) => {
      this.waiters.push({ resolve, reject })
      if (this.isPumping) return
      this.isPumping = true
      void this.pump()
    })
  }

  /**
   * From now on messages are sent again to this queue. A window that gets room would be filled with them, and they would
   * go back in another order: so each consumer is cancelled before what it had is acknowledged.
   */
  defer(): void {
    if (this.isDeferring) return
    this.isDeferring = true
    for (const consumer of this.live) if (consumer !== this.consumer) this.end(consumer)
    this.stopAtEnd()
  }

  /** False when it was settled before. */
  settle({ fields: { deliveryTag } }: Message): boolean {
    if (this.isDeferring)
      for (const { deferred, held } of this.live) {
        if (!held.has(deliveryTag)) continue
        if (deferred.has(deliveryTag)) return false
        deferred.add(deliveryTag)
        return true
      }
    this.consumer?.held.delete(deliveryTag)
    return this.table.settle(deliveryTag)
  }

  /** Completes when nothing more arrives and the queue has the acknowledgements of what was settled. */
  async endAll(): Promise<void> {
    this.flush()
    const cancel = () => Promise.all([...this.live].map((consumer) => this.cancel(consumer)))
    if (!this.table.hasGap()) await cancel()
    else await AckBarrier.passed(this.channel, this.queue, this.live.size > 0 ? cancel : undefined)
    this.flush()
  }

  /** Completes when the queue has the acknowledgements that were sent; before a close. */
  async endAcknowledged(): Promise<void> {
    if (this.table.hasGap()) await this.endAll()
  }

  /** Sends the acknowledgements of this turn; throws when the channel is gone. */
  flush(): void {
    this.table.flush()
  }

  /** How many messages are held. */
  held(): number {
    return this.table.outstanding()
  }

  /** Returns everything that is held; the broker counts no return of what a cancelled consumer had. */
  async giveBack(): Promise<void> {
    await this.endAll()
    this.channel.nackAll(true)
  }

  private async pump(): Promise<void> {
    try {
      while (this.waiters.length > 0) {
        if (this.isFull()) await this.consume()
        else {
          await this.pause()
          if (this.waiters.length === 0 || this.isFull() || !(await this.isEmpty())) continue
          for (const waiter of this.waiters.splice(0)) waiter.resolve(undefined)
        }
      }
    } catch (error) {
      for (const waiter of this.waiters.splice(0)) waiter.reject(error)
    } finally {
      this.isPumping = false
    }
  }

  private isFull(): boolean {
    return this.consumer === undefined || this.consumer.held.size >= this.consumer.window
  }

  /** The consumer before it is not cancelled: messages on their way to a cancelled one would end the connection. */
  private async consume(): Promise<void> {
    const bound = this.consumer === undefined || this.largest * window.most > window.bytes ? window.first : window.most
    // What is sent again to this queue is not wanted.
    const size = Math.max(1, Math.min(bound, this.expected - this.arrived))
    const consumerTag = `letters-${String(++this.consumers).padStart(9, "0")}`
    // The prefetch of a channel is that of each consumer that comes after it.
    const before = this.consumer
    if (before?.window !== size) await this.channel.prefetch(size)
    if (before !== undefined && this.isDeferring) await this.cancel(before)
    const consumer: Consumer = {
      tag: consumerTag,
      window: size,
      held: new Set(),
      deferred: new Set(),
      cancelled: undefined
    }
    this.consumer = consumer
    this.live.add(consumer)
    const deliver = (message: Message | null): void => {
      if (message === null) return this.onCancelled()
      consumer.held.add(message.fields.deliveryTag)
      this.give(message)
    }
    await this.channel.consume(this.queue, deliver, { consumerTag, arguments: this.asked })
    this.stopAtEnd()
  }

  /** Takes nothing more: what follows was sent to the queue meanwhile. */
  private stopAtEnd(): void {
    if (this.isDeferring && this.arrived >= this.expected && this.consumer !== undefined) this.end(this.consumer)
  }

  private end(consumer: Consumer): void {
    this.cancel(consumer).catch(() => {
      // The channel is gone, which its 'close' reports.
    })
  }

  /** At most once for each consumer. */
  private cancel(consumer: Consumer): Promise<void> {
    consumer.cancelled ??= this.cancelNow(consumer)
    return consumer.cancelled
  }

  private async cancelNow(consumer: Consumer): Promise<void> {
    await AmqplibInternals.cancel(this.channel, consumer.tag, (message) => {
      if (message !== null) this.give(message)
    })
    if (this.consumer === consumer) this.consumer = undefined
    this.live.delete(consumer)
    for (const tag of consumer.deferred) this.table.settle(tag)
    if (consumer.deferred.size > 0) this.flush()
  }

  private give(message: Message): void {
    this.table.delivered(message.fields.deliveryTag)
    this.arrived++
    this.empties = 0
    this.largest = Math.max(this.largest, message.content.length)
    const waiter = this.waiters.shift()
    if (waiter === undefined) this.buffer.push(message)
    else waiter.resolve(message)
    this.wake()
    this.stopAtEnd()
  }

  /**
   * Whether there is nothing more. The broker may answer before it sends the messages that are on their way to the
   * consumer. These come before the next answer, or later when another node of a cluster sends them.
   */
  private async isEmpty(): Promise<boolean> {
    const { messageCount } = await this.channel.checkQueue(this.queue)
    if (messageCount === 0) this.empties++
    return this.empties >= (this.arrived < this.expected ? emptyLooks : 2)
  }

  /** Waits until a message arrives, or for a moment. */
  private pause(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, pauseMillis)
      this.wake = () => {
        this.wake = idle
        clearTimeout(timer)
        resolve()
      }
    })
  }
}
