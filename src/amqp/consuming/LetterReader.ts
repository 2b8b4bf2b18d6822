/** The letters that one reader has taken, their acknowledgements, and what becomes of those that stay in the queue. */
import type { Message } from "amqplib"
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import type { Delivery } from "../../bus/port/Broker.ts"
import { BrokerError } from "../../bus/port/BrokerError.ts"
import { BrokerRefused } from "../../bus/port/BrokerReason.ts"
import type { Call } from "../connection/Call.ts"
import { printable } from "../../event/FieldValue.ts"
import type { DeadLetterPump } from "./DeadLetterPump.ts"
import type { LetterPlace, LetterRenewal } from "./LetterRenewal.ts"
import * as ReceivedMessage from "./ReceivedMessage.ts"

/**
 * A letter that came back this often is stored anew before it goes back again. A policy that is unknown here may allow
 * a single return, and one of them is always needed: nothing says beforehand how often a letter came back.
 */
const renewedFrom = 1

export interface LetterReaderParts {
  readonly pump: DeadLetterPump
  readonly toDelivery: ReturnType<typeof ReceivedMessage.toDelivery>
  readonly place: LetterPlace
  /** How many letters there were when it was opened. */
  readonly count: number
  readonly call: Call
  readonly openRenewal: Effect.Effect<LetterRenewal, BrokerError>
  /** Whether letters may go back without being stored anew: they are then stored as far as that is possible. */
  readonly isFree: boolean
  /** The size of the largest letter that can be stored anew, as far as is known. A larger one goes back as it is. */
  readonly maxBytes: () => number
  /** Called when a letter cannot be stored anew. */
  readonly onRefused: (error: BrokerError) => void
}

interface Letter {
  readonly message: Message
  readonly deliveryCount: number
  state: "open" | "kept" | "acknowledged"
}

export class LetterReader {
  /** The next letter, or undefined when there is none. */
  readonly next: Effect.Effect<Delivery | undefined, BrokerError>
  private readonly parts: LetterReaderParts
  /** What was delivered and is neither acknowledged nor kept, by its tag: a delivery may come back in another wrapping. */
  private readonly open = new Map<number, Letter>()
  /** In the order of their arrival, from the first that is open: several workers may keep them in another one. */
  private readonly arrived: Array<Letter> = []
  /** What is to be stored anew. */
  private toRenew: Array<Message> = []
  private renewal: LetterRenewal | undefined
  private readonly taking = Semaphore.makeUnsafe(1)
  private isRenewing = false
  /** Nothing can be stored anew, and nothing has to be. */
  private leavesAlone = false
  private taken = 0
  private acknowledged = 0
  private isLost = false
  private isClosing = false
  private isScheduled = false
  readonly isGone = (): boolean => this.isLost || this.isClosing

  constructor(parts: LetterReaderParts) {
    this.parts = parts
    const { call, place, pump } = parts
    const wait = Effect.map(
      call("reading", `queue ${place.queue}`, () => pump.take()),
      (message) => this.deliver(message)
    )
    const take = Effect.suspend(() => {
      if (this.isLost) return Effect.fail(this.lost())
      // Nearly always one is here, and there is nothing to wait for.
      const message = pump.ready()
      return message === undefined ? wait : Effect.succeed(this.deliver(message))
    })
    // One after the other, so that they are known in the order of their arrival.
    this.next = this.taking.withPermits(1)(
      Effect.suspend(() => (this.toRenew.length === 0 ? take : Effect.andThen(this.renew, take)))
    )
  }

  /** Leaves a letter in the queue. */
  keep(delivery: Delivery): void {
    this.leave(delivery.tag, "kept")
  }

  /** Stores anew what has to be, and then everything behind it: else it would stand in front. */
  finish(isComplete: boolean): Effect.Effect<void> {
    const { call, place, pump } = this.parts
    return Effect.gen({ self: this }, function* () {
      if (this.isRenewing && isComplete) {
        yield* this.renew
        while (!this.leavesAlone && this.taken < this.parts.count) {
          const delivery = yield* this.next
          if (delivery === undefined) break
          this.keep(delivery)
        }
        yield* this.renew
      }
      if (this.renewal === undefined) return
      yield* this.orRefused(this.renewal.done)
      yield* call("acknowledging", `queue ${place.queue}`, () => pump.endAll())
    }).pipe(
      Effect.catch((error) => Effect.logWarning("dead letters were not stored anew", printable(error.message))),
      Effect.andThen(Effect.suspend(() => this.renewal?.close ?? Effect.void))
    )
  }

  /** Returns what is held without counting it. */
  async giveBack(): Promise<void> {
    this.flush()
    this.isClosing = true
    await this.parts.pump.giveBack()
  }

  /** Sends the acknowledgements of this turn, and completes when the queue has them. Nothing can be settled after that. */
  async close(): Promise<void> {
    this.flush()
    const isOpen = !this.isGone()
    this.isClosing = true
    if (isOpen) await this.parts.pump.endAcknowledged()
  }

  /** The channel closed, or the broker cancelled the consumer: everything is in the queue again. */
  lose(): void {
    this.isLost = !this.isClosing
  }

  /** How many messages go back to the queue with the channel, and how many are there then if no one else takes any. */
  unreturned(): { readonly held: number; readonly all: number } {
    const held = this.isLost ? 0 : this.parts.pump.held()
    return { held, all: this.parts.count - this.acknowledged }
  }

  private deliver(message: Message): Delivery
  private deliver(message: Message | undefined): Delivery | undefined
  private deliver(message: Message | undefined): Delivery | undefined {
    if (message === undefined) return undefined
    this.taken++
    const ack = (): void => {
      this.leave(message.fields.deliveryTag, "acknowledged")
      if (this.settle(message)) this.acknowledged++
    }
    const delivery = this.parts.toDelivery(ReceivedMessage.ofAmqplib(message), ack, this.isGone)
    const letter: Letter = { message, deliveryCount: delivery.deliveryCount, state: "open" }
    this.open.set(message.fields.deliveryTag, letter)
    this.arrived.push(letter)
    return delivery
  }

  private leave(tag: number | undefined, state: "kept" | "acknowledged"): void {
    const letter = tag === undefined ? undefined : this.open.get(tag)
    if (tag === undefined || letter === undefined || this.isGone()) return
    this.open.delete(tag)
    letter.state = state
    for (let first = this.arrived[0]; first !== undefined && first.state !== "open"; first = this.arrived[0]) {
      this.arrived.shift()
      if (first.state === "kept") this.stay(first)
    }
  }

  private stay({ deliveryCount, message }: Letter): void {
    this.isRenewing ||= deliveryCount >= renewedFrom
    if (!this.isRenewing || this.leavesAlone) return
    this.parts.pump.defer()
    this.toRenew.push(message)
  }

  private settle(message: Message): boolean {
    if (this.isGone() || !this.parts.pump.settle(message)) return false
    if (this.isScheduled) return true
    this.isScheduled = true
    setImmediate(this.flush)
    return true
  }

  private readonly flush = (): void => {
    this.isScheduled = false
    if (this.isGone()) return
    try {
      this.parts.pump.flush()
    } catch {
      // The channel closed within this turn: its 'close' follows, and everything goes back.
      this.isLost = true
    }
  }

  private get renew(): Effect.Effect<void, BrokerError> {
    const { isFree, openRenewal } = this.parts
    const renewing = Effect.gen({ self: this }, function* () {
      if (this.toRenew.length === 0) return
      const renewal = (this.renewal ??= yield* openRenewal)
      for (let message = this.toRenew.shift(); message !== undefined; message = this.toRenew.shift()) {
        if (message.content.length > this.parts.maxBytes()) continue
        const stored = message
        yield* this.orRefused(renewal.room)
        renewal.send(stored, () => void this.settle(stored))
      }
    })
    const leaveAlone = (error: BrokerError): Effect.Effect<void> => {
      this.leavesAlone = true
      this.toRenew = []
      return Effect.logDebug("dead letters are not stored anew", printable(error.message))
    }
    return isFree ? Effect.catch(renewing, leaveAlone) : renewing
  }

  private orRefused(stored: Effect.Effect<void, BrokerError>): Effect.Effect<void, BrokerError> {
    if (this.parts.isFree) return stored
    return Effect.tapError(stored, (error) => Effect.sync(() => this.parts.onRefused(error)))
  }

  private lost(): BrokerError {
    return new BrokerError({
      reason: new BrokerRefused({
        operation: `reading queue ${this.parts.place.queue}`,
        detail:
          "the broker took the letters back: the channel was closed, or the consumer cancelled (consumer_timeout, a deleted queue, no majority). What was not settled is in the queue"
      })
    })
  }
}
