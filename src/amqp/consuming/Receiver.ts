/**
 * Consumes one queue on a channel of its own. A delivery belongs to that channel: it is settled there or not at
 * all. Deliveries that are not settled go back in order when the channel closes, which costs each a life. From RabbitMQ 4.3 on
 * an unordered consumer nacks them all at once behind its cancel, which costs nothing.
 */
import type { Channel, ConsumeMessage } from "amqplib"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { hostname } from "node:os"
import type { Consumer, ConsumeOptions } from "../../bus/port/Broker.ts"
import { BrokerError } from "../../bus/port/BrokerError.ts"
import { BrokerRefused } from "../../bus/port/BrokerReason.ts"
import * as AmqplibInternals from "../AmqplibInternals.ts"
import * as Link from "../connection/Link.ts"
import * as ScopedChannel from "../connection/ScopedChannel.ts"
import * as ServerVersion from "../connection/ServerVersion.ts"
import * as AckBarrier from "./AckBarrier.ts"
import * as AckTable from "./AckTable.ts"
import * as ConsumerTimeout from "./ConsumerTimeout.ts"
import * as DeliveryParser from "./DeliveryParser.ts"
import * as LastFlush from "./LastFlush.ts"
import * as ReceivedMessage from "./ReceivedMessage.ts"

export interface AckCounters {
  acked: number
  /** Acknowledged twice, or after the channel was gone: dropped. */
  late: number
}

/**
 * An acknowledgement is a command to every replica of the queue. So acknowledgements leave together when this
 * share of the prefetch is settled, or after this many milliseconds. The window never runs dry for it. Where
 * deliveries come more rarely than that, nothing would be gathered, and a timer would wake the process for each.
 */
const ackShare = 1 / 4
const ackMillis = 1

export interface ReceiverOptions extends Omit<ConsumeOptions, "subscriber" | "queue"> {
  readonly namespace: string
  readonly queue: string
  readonly tag: string
  readonly counters: AckCounters
  /** Whether the queue dead-letters what is rejected. */
  readonly rejects: boolean
  /** Whether it holds dead letters, whose headers the runtime or the broker wrote. Default false. */
  readonly holdsLetters?: boolean
  /** Whether the queue is a quorum queue, as those that the library declares for a subscriber are. */
  readonly isQuorum: boolean
  /** Whether the queue gives to one of its consumers at a time. */
  readonly isSingleActive: boolean
  /** Whether what it gives back has to be back before another consumer gets anything. */
  readonly isOrdered: boolean
  /** Whether it is the only consumer of its queue. Default false. */
  readonly exclusive?: boolean
  /** False when the broker settles each delivery as it sends it. Default true. */
  readonly isSettled?: boolean
}

export const consume = (
  link: Link.Link,
  options: ReceiverOptions
): Effect.Effect<Consumer, BrokerError, Scope.Scope> => {
  if (!options.isQuorum) return consumeWith(link, options, {}, () => {})
  let isRefused = false
  const asked = ConsumerTimeout.argumentsFor(link, ConsumerTimeout.ofSubscribers)
  return Effect.catchIf(
    consumeWith(link, options, asked, () => void (isRefused = true)),
    () => isRefused && asked !== ConsumerTimeout.none,
    () => consumeWith(link, options, ConsumerTimeout.none, () => {})
  )
}

const consumeWith = Effect.fnUntraced(function* (
  link: Link.Link,
  options: ReceiverOptions,
  asked: Readonly<Record<string, number>>,
  onRefused: () => void
): Effect.fn.Return<Consumer, BrokerError, Scope.Scope> {
  const { prefetch, queue, tag } = options
  let receiver: Receiver | undefined
  let isConsuming = false
  const channel = yield* ScopedChannel.open(link, async () => receiver?.close())
  const made = new Receiver(channel, options, link)
  receiver = made
  const why = ConsumerTimeout.watch(channel, queue, Link.lost(link, "the consumer's channel was closed"))
  // Until it consumes, the call below fails, and nothing was lost.
  channel.once("close", () => (isConsuming ? made.lose(why()) : made.end()))
  yield* link.call("setting the prefetch", `queue ${queue}`, () => channel.prefetch(prefetch))
  DeliveryParser.consume(
    channel,
    (message) => made.take(message),
    (error) => made.fail(error)
  )
  yield* link.call("consuming", `queue ${queue}`, () => {
    const take = (message: ConsumeMessage | null): void => made.takeFromAmqplib(message)
    // As it is: each turn more lets a first delivery overtake what the caller does with its consumer.
    const answer = channel.consume(queue, take, {
      consumerTag: tag,
      arguments: asked,
      exclusive: options.exclusive ?? false,
      noAck: options.isSettled === false
    })
    answer.then(
      () => void (isConsuming = true),
      (error: unknown) => {
        if (ConsumerTimeout.isRefused(error)) onRefused()
      }
    )
    return answer
  })
  // Closed right behind its answer.
  if (made.isGone()) return yield* why()
  const cancel = link.call("cancelling", `queue ${queue}`, () => made.cancel())
  return { cancel: Effect.suspend(() => (made.isGone() ? Effect.void : Effect.asVoid(cancel))), flush: made.flushNow }
})

/** The consumer of one channel: its deliveries and their acknowledgements. */
class Receiver {
  private readonly channel: Channel
  private readonly options: ReceiverOptions
  private readonly toDelivery: ReturnType<typeof ReceivedMessage.toDelivery>
  private readonly table: AckTable.AckTable
  private readonly wire: AmqplibInternals.ChannelWire
  private readonly enough: number
  private readonly isFree: boolean
  private gone = false
  private isCancelled = false
  private isScheduled = false
  /** Settled since the last flush. */
  private unsent = 0
  private timer: ReturnType<typeof setTimeout> | undefined
  private flushedAt = Number.NEGATIVE_INFINITY
  private readonly flush = (): void => {
    this.isScheduled = false
    this.unsent = 0
    this.flushedAt = performance.now()
    clearTimeout(this.timer)
    this.timer = undefined
    if (this.gone) return
    try {
      this.table.flush()
    } catch {
      // The channel closed within this turn: its 'close' follows, and everything comes back.
      this.gone = true
    }
  }
  readonly isGone = (): boolean => this.gone
  /** See `Consumer.flush`. */
  readonly flushNow = (sent: () => void): boolean => {
    if (this.unsent > 0) this.flush()
    return this.gone || this.wire.sendNow(sent)
  }
  private readonly flushLast = (): void => void this.flushNow(() => {})

  constructor(channel: Channel, options: ReceiverOptions, link: Link.Link) {
    const { counters, isOrdered, isQuorum, isSingleActive, namespace, prefetch } = options
    this.channel = channel
    this.options = options
    // Where order counts, what comes after the window could start between the cancel and the nack, or comes back to this consumer.
    this.isFree = isQuorum && !isSingleActive && !isOrdered && ServerVersion.givesBackFreely(link)
    this.toDelivery = ReceivedMessage.toDelivery({
      namespace,
      countsAcquired: ServerVersion.countsAcquired(link),
      isLetter: options.holdsLetters ?? false,
      withRoute: options.withRoute ?? false,
      reject: options.rejects ? (delivery) => this.reject(delivery.tag ?? 0) : undefined
    })
    this.enough = prefetch * ackShare
    this.table = AckTable.make((deliveryTag, upTo) => {
      counters.acked++
      AmqplibInternals.ack(channel, deliveryTag, upTo)
    })
    this.wire = new AmqplibInternals.ChannelWire(channel)
    LastFlush.add(this.flushLast)
  }

  take(message: ReceivedMessage.ReceivedMessage): void {
    if (this.gone) return
    const { deliveryTag } = message
    this.table.delivered(deliveryTag)
    this.options.onDelivery(this.toDelivery(message, () => this.settle(deliveryTag), this.isGone))
  }

  takeFromAmqplib(message: ConsumeMessage | null): void {
    if (message === null)
      return this.lose(
        this.refused(
          "consuming",
          "the broker cancelled the consumer: its queue was deleted, or has no majority. It is declared and consumed again"
        )
      )
    try {
      this.take(ReceivedMessage.ofAmqplib(message))
    } catch (error) {
      // amqplib would end the connection and all its consumers.
      this.fail(error)
    }
  }

  /** A delivery could not be read: its consumer ends, and no other one. */
  fail(error: unknown): void {
    const why = error instanceof Error ? error.message : "no error was given"
    this.lose(
      this.refused(
        "reading",
        `a delivery could not be read (${why}). It is consumed again; look at the first message of the queue`
      )
    )
  }

  lose(error: BrokerError): void {
    if (this.gone) return
    this.end()
    this.options.onLost(error)
  }

  private refused(operation: string, detail: string): BrokerError {
    return new BrokerError({
      reason: new BrokerRefused({ operation: `${operation} queue ${this.options.queue}`, detail })
    })
  }

  async cancel(): Promise<void> {
    this.isCancelled = true
    await this.channel.cancel(this.options.tag)
  }

  /** Sends the acknowledgements of this turn and gives up the rest. Completes when the queue has them. */
  async close(): Promise<void> {
    this.flush()
    const isOpen = !this.gone
    this.end()
    if (!isOpen || (!this.isFree && !this.table.hasGap())) return
    const last = this.lastCommand()
    if (this.table.hasGap()) await AckBarrier.passed(this.channel, this.options.queue, last)
    else await last?.()
    if (this.isFree) this.channel.nackAll(true)
  }

  /** A command to the queue that changes nothing for other consumers. */
  private lastCommand(): (() => Promise<unknown>) | undefined {
    const { isSingleActive, queue, tag } = this.options
    // A cancel would make the next one active, although this one has events of its keys. Another consumer waits.
    if (isSingleActive) return () => this.channel.consume(queue, () => {}, { consumerTag: `${tag}.last` })
    return this.isCancelled || this.options.isOrdered ? undefined : () => this.cancel()
  }

  end(): void {
    this.gone = true
    LastFlush.remove(this.flushLast)
  }

  private reject(deliveryTag: number): void {
    if (this.gone || !this.table.remove(deliveryTag)) {
      this.options.counters.late++
      return
    }
    try {
      AmqplibInternals.reject(this.channel, deliveryTag)
    } catch {
      // The channel closed within this turn: its 'close' follows, and everything comes back.
      this.gone = true
    }
  }

  /** Asked at the first one since a flush, so that a busy consumer reads no clock. */
  private comesRarely(): boolean {
    return this.unsent === 1 && performance.now() - this.flushedAt > ackMillis
  }

  private settle(deliveryTag: number): void {
    if (this.options.isSettled === false) return
    if (this.gone || !this.table.settle(deliveryTag)) {
      this.options.counters.late++
      return
    }
    if (this.isScheduled) return
    this.unsent++
    if (this.unsent >= this.enough || this.comesRarely()) {
      this.isScheduled = true
      setImmediate(this.flush)
    } else this.timer ??= setTimeout(this.flush, ackMillis)
  }
}

export const consumerTag = (subscriber: string, epoch: number, count: number): string =>
  `${subscriber.slice(0, 180)}@${hostname().slice(0, 40)}:${process.pid}#${epoch}.${count}`
