/**
 * One place in the pool of publish channels: the channel that is open there, what is in flight on it and what
 * waits for it.
 *
 * Every message is mandatory: a `basic.return` comes before its confirm and names exchange, routing key and
 * message id, nothing else. So two messages of one such triple are never in flight on one channel at once, else
 * the return of one could be taken for that of the other: the second waits, and what follows it under its key
 * waits behind it.
 * The same goes for messages whose right is being asked for (`RightsProbe`), or whose level of the delay ladder is being
 * declared (`LadderLevels`).
 */
import type { ConfirmChannel } from "amqplib"
import type { InFlightMessage, Outgoing, SendOutcome } from "../../bus/port/Broker.ts"
import { notSent, rejected, unknown } from "../../bus/port/SendOutcome.ts"
import * as TextHash from "../../bus/support/TextHash.ts"
import type { Link } from "../connection/Link.ts"
import * as HeaderTable from "../frames/HeaderTable.ts"
import { noChannel, type PublishChannel } from "./PublishChannel.ts"
import type { Confirms } from "./Confirms.ts"
import type { LadderLevels } from "./LadderLevels.ts"
import { concerns, type Denied, type Refusals } from "./Refusals.ts"
import type { Route } from "./Route.ts"
import type { RightsProbe } from "./RightsProbe.ts"
import { SentTable } from "./SentTable.ts"
import { notSendable, unfit, unroutedAt } from "./Unsent.ts"

/** What all channels of a pool have in common. */
export interface PoolState {
  readonly route: (to: Outgoing["to"]) => Route
  readonly refusals: Refusals
  readonly rights: RightsProbe
  readonly levels: LadderLevels
  /** Longest header table, in bytes; it depends on the connection. */
  headerLimit: number
  /** Called with the exchange of a message that came back. */
  readonly onUnrouted: (exchange: string) => void
}

/** A message in flight on a channel: the entry of its confirm. A class, for the reason in `OutgoingMessage`. */
class SentMessage implements InFlightMessage {
  readonly id: string
  readonly hash: number
  readonly route: Route
  readonly inFlight: InFlightMessage
  private readonly channel: PublishChannel
  private readonly slot: ChannelSlot
  /** It came back: no queue was bound. */
  wasReturned = false
  /** Its neighbour in the table, which may have the same id: two subscribers' copies of one event. */
  next: SentMessage | undefined = undefined

  constructor(
    slot: ChannelSlot,
    channel: PublishChannel,
    route: Route,
    id: string,
    hash: number,
    inFlight: InFlightMessage
  ) {
    this.id = id
    this.hash = hash
    this.route = route
    this.inFlight = inFlight
    this.channel = channel
    this.slot = slot
  }

  get message(): Outgoing {
    return this.inFlight.message
  }

  answered(outcome: SendOutcome): void {
    this.slot.answered(this, this.channel, outcome)
  }
}

export class ChannelSlot {
  private readonly pool: PoolState
  private current: PublishChannel | undefined = undefined
  private readonly sent = new SentTable<SentMessage>()
  /** Twins of what is in flight and what follows them under their keys, in order. */
  private waiting: Array<InFlightMessage> = []
  private readonly waitingKeys = new Set<string>()
  /** Ids of the messages whose twins wait. */
  private readonly twins = new Set<string>()
  /** What the broker denied, while the messages of its channel are answered. */
  private deniedMessage: InFlightMessage | undefined = undefined
  private isPaused = false
  private wasRejected = false
  /** How many messages RabbitMQ answered. */
  confirms = 0

  constructor(pool: PoolState) {
    this.pool = pool
  }

  get isOpen(): boolean {
    return this.current !== undefined
  }

  /** Whether a queue rejected a message that came by this channel. */
  get hasRejected(): boolean {
    return this.wasRejected
  }

  /** Whether something waits for an answer of RabbitMQ. */
  get isWaiting(): boolean {
    return this.sent.size > 0 || this.waiting.length > 0
  }

  get inFlight(): number {
    return this.sent.size
  }

  send(inFlight: InFlightMessage): void {
    const { message } = inFlight
    const { headers, key, properties } = message
    const route = this.pool.route(message.to)
    const hash = TextHash.of(properties.messageId)
    const isTwin = this.find(properties.messageId, hash, route.exchange, route.routingKey) !== undefined
    // Behind a twin that waits, else it would overtake it.
    const isBehind = key !== undefined && this.waitingKeys.size > 0 && this.waitingKeys.has(key)
    if (isTwin) this.twins.add(properties.messageId)
    if (this.isPaused || isTwin || isBehind) return this.wait(inFlight)
    const channel = this.current
    if (channel === undefined) return inFlight.answered(notSent(noChannel))
    // What would close the channel or the connection, and with it everybody's publishes.
    const fault = HeaderTable.fault(headers, this.pool.headerLimit)
    if (fault !== undefined) return inFlight.answered(unfit(fault))
    const { method } = route
    if (method === undefined)
      return inFlight.answered(unfit("its exchange or routing key is longer than 255 bytes: shorten it"))
    const refusal = this.pool.refusals.of(route.exchange, route.routingKey, message.body)
    if (refusal !== undefined) return inFlight.answered(refusal)
    const { levels } = this.pool
    if (!levels.areThere(route.levels)) {
      const absent = levels.absentOf(route.levels)
      if (absent !== undefined) return inFlight.answered(unroutedAt(message.to, absent))
      levels.ask(route.levels)
      return this.wait(inFlight)
    }
    if (!this.pool.rights.isAllowed(route)) {
      this.pool.rights.ask(route)
      return this.wait(inFlight)
    }
    this.publish(channel, method, route, hash, inFlight)
  }

  /** The broker answered for a message, or its channel was lost. */
  answered(sent: SentMessage, channel: PublishChannel, outcome: SendOutcome): void {
    this.sent.delete(sent)
    const unblocks = this.twins.size > 0 && this.twins.has(sent.id)
    if (outcome._tag === "Confirmed") {
      this.confirms++
      sent.inFlight.answered(sent.wasReturned ? unroutedAt(sent.message.to, sent.route.exchange) : outcome)
      if (sent.wasReturned) this.pool.onUnrouted(sent.route.exchange)
    }
    // A nack is the one error that comes while the channel lives.
    else if (outcome._tag === "Rejected" && this.current === channel) {
      this.confirms++
      this.wasRejected = true
      sent.inFlight.answered(rejected)
    } else sent.inFlight.answered(this.refusalOf(sent) ?? unknown)
    if (unblocks) this.retry()
  }

  returned(exchange: string, routingKey: string, id: unknown): void {
    const sent = this.find(String(id), TextHash.of(String(id)), exchange, routingKey)
    if (sent !== undefined) sent.wasReturned = true
  }

  /** Sends what waits, unless it has to wait again. */
  retry(): void {
    if (this.waiting.length > 0 && !this.isPaused) this.release()
  }

  /** From now on everything waits: the channel is being replaced. */
  pause(): void {
    this.isPaused = true
  }

  resume(): void {
    this.isPaused = false
    this.release()
  }

  /** Sends by this channel, if it is still open. */
  use(channel: PublishChannel): void {
    if (!channel.isOpen()) return
    this.current = channel
    this.resume()
  }

  forgetRejection(): void {
    this.wasRejected = false
  }

  /** The channel is gone. Returns what has to run after all that was in flight on it is answered. */
  lost(channel: ConfirmChannel): () => void {
    if (this.current?.channel !== channel) return () => {}
    this.current = undefined
    this.isPaused = false
    const waiting = this.takeWaiting()
    return () => {
      this.deniedMessage = undefined
      for (const inFlight of waiting) inFlight.answered(this.refusalBefore(inFlight) ?? notSent(noChannel))
    }
  }

  /**
   * The channel is gone because of a publish that the user has no right to. Of the messages that it may have been the
   * last one was not stored for certain: those before it may have been sent while the right was there.
   */
  denied(channel: ConfirmChannel, refusal: Denied, confirms: Confirms, { secret, username }: Link): () => void {
    const routeOf = ({ message }: InFlightMessage): Route => this.pool.route(message.to)
    const message = confirms.last((inFlight) => {
      const { exchange, routingKey } = routeOf(inFlight)
      return concerns(refusal, exchange, routingKey)
    })
    const known: Denied = message === undefined ? refusal : { ...refusal, ...placeOf(routeOf(message), refusal) }
    // Its credentials may have ended: with fresh ones it is sent again.
    if (!secret.isRenewable()) this.pool.refusals.learn(known, username, secret.claims())
    this.pool.rights.renew()
    this.deniedMessage = message
    return this.lost(channel)
  }

  /** Why a message whose answer is lost was not stored, if that is known. */
  private refusalOf(sent: SentMessage): SendOutcome | undefined {
    if (sent !== this.deniedMessage) return this.pool.refusals.ofSize(sent.message.body)
    return this.refusalBefore(sent) ?? notSent(noChannel)
  }

  /** Why a message would be refused. */
  private refusalBefore({ message }: InFlightMessage): SendOutcome | undefined {
    const { exchange, routingKey } = this.pool.route(message.to)
    return this.pool.refusals.of(exchange, routingKey, message.body)
  }

  private publish(
    channel: PublishChannel,
    method: Buffer,
    route: Route,
    hash: number,
    inFlight: InFlightMessage
  ): void {
    const sent = new SentMessage(this, channel, route, inFlight.message.properties.messageId, hash, inFlight)
    this.sent.add(sent)
    try {
      channel.publish(method, sent)
    } catch (error) {
      this.sent.delete(sent)
      // Closed channels throw IllegalOperationError; everything else is about values that the wire never carries.
      const isUnfit = error instanceof Error && error.name !== "IllegalOperationError"
      inFlight.answered(isUnfit ? notSendable(error) : notSent(noChannel))
    }
  }

  private find(id: string, hash: number, exchange: string, routingKey: string): SentMessage | undefined {
    for (let sent = this.sent.chain(hash); sent !== undefined; sent = sent.next) {
      if (sent.hash !== hash || sent.id !== id) continue
      if (sent.route.exchange === exchange && sent.route.routingKey === routingKey) return sent
    }
    return undefined
  }

  private wait(inFlight: InFlightMessage): void {
    const { key } = inFlight.message
    this.waiting.push(inFlight)
    if (key !== undefined) this.waitingKeys.add(key)
  }

  /** Sends what waits, in order; it may have to wait again. */
  private release(): void {
    for (const inFlight of this.takeWaiting()) this.send(inFlight)
  }

  private takeWaiting(): ReadonlyArray<InFlightMessage> {
    const { waiting } = this
    this.waiting = []
    this.waitingKeys.clear()
    this.twins.clear()
    return waiting
  }
}

/** What was denied, by the names of the message: those of the broker may be cut. */
const placeOf = ({ exchange, routingKey }: Route, { topic }: Denied): Omit<Denied, "_tag"> => ({
  exchange,
  topic: topic === undefined ? undefined : routingKey
})
