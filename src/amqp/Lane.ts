/**
 * What is on its way on one publish channel, and what waits for it. A return names exchange, routing key
 * and message id and nothing else, so two messages of one such triple are never under way at once: the
 * second waits, and what follows it under its key waits behind it.
 */
import type { Outgoing, SendOutcome } from "../bus/Broker.ts"
import * as Population from "../bus/Population.ts"
import type { PublishChannel } from "./PublishChannel.ts"

/** A class, as `Message` is. */
export class Sent {
  readonly id: string
  readonly exchange: string
  readonly routingKey: string
  /** It came back: nobody took it. */
  wasReturned = false
  /** Others of the same id: two subscribers' copies of one event. */
  next: Sent | undefined

  constructor(id: string, exchange: string, routingKey: string, next: Sent | undefined) {
    this.id = id
    this.exchange = exchange
    this.routingKey = routingKey
    this.next = next
  }
}

interface Waiting {
  readonly message: Outgoing
  readonly done: (outcome: SendOutcome) => void
}

export interface Lane {
  channel: PublishChannel | undefined
  inFlight: Map<string, Sent>
  readonly outgrown: (size: number) => boolean
  /** Twins of what is on its way and what follows them under their keys, in order. */
  waiting: Array<Waiting>
  readonly waitingKeys: Set<string>
  /** Everything waits: its channel is being replaced. */
  isPaused: boolean
  /** A queue did not take something that came by its channel. */
  wasRefused: boolean
}

export const make = (): Lane => ({
  channel: undefined,
  inFlight: new Map(),
  outgrown: Population.makeOutgrown(),
  waiting: [],
  waitingKeys: new Set(),
  isPaused: false,
  wasRefused: false
})

const find = (lane: Lane, id: string, exchange: string, routingKey: string): Sent | undefined => {
  let sent = lane.inFlight.get(id)
  while (sent !== undefined && (sent.exchange !== exchange || sent.routingKey !== routingKey)) sent = sent.next
  return sent
}

export const has = (lane: Lane, id: string, exchange: string, routingKey: string): boolean =>
  find(lane, id, exchange, routingKey) !== undefined

export const enter = (lane: Lane, id: string, exchange: string, routingKey: string): Sent => {
  const sent = new Sent(id, exchange, routingKey, lane.inFlight.get(id))
  if (lane.outgrown(lane.inFlight.size)) lane.inFlight = new Map(lane.inFlight)
  lane.inFlight.set(id, sent)
  return sent
}

export const leave = (lane: Lane, sent: Sent): void => {
  const head = lane.inFlight.get(sent.id)
  if (head === sent) {
    if (sent.next === undefined) lane.inFlight.delete(sent.id)
    else lane.inFlight.set(sent.id, sent.next)
    return
  }
  for (let other = head; other !== undefined; other = other.next) if (other.next === sent) other.next = sent.next
}

export const returned = (lane: Lane, exchange: string, routingKey: string, id: unknown): void => {
  const sent = find(lane, String(id), exchange, routingKey)
  if (sent !== undefined) sent.wasReturned = true
}

export const wait = (lane: Lane, message: Outgoing, done: Waiting["done"]): void => {
  lane.waiting.push({ message, done })
  if (message.key !== undefined) lane.waitingKeys.add(message.key)
}

/** Takes all that waits, to be sent or answered in its order. */
export const takeWaiting = (lane: Lane): ReadonlyArray<Waiting> => {
  const { waiting } = lane
  lane.waiting = []
  lane.waitingKeys.clear()
  return waiting
}
