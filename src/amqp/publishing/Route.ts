/**
 * The exchange and routing key of an address of the bus on RabbitMQ; and the way back.
 */
import type { Address } from "../../bus/port/Broker.ts"
import * as Ladder from "../topology/DelayLadder.ts"
import * as MethodFrame from "../frames/MethodFrame.ts"
import * as Topology from "../topology/Topology.ts"

/** What RabbitMQ allows or denies at once: the same for every delay that begins on one level of the ladder. */
export interface Right {
  /** When RabbitMQ last allowed it: an epoch of `RightsProbe`, or 0. */
  allowedIn: number
  /** Whether the exchange belongs to another system: nobody here declares it when it is missing. */
  readonly isForeign: boolean
}

export interface Route {
  readonly exchange: string
  readonly routingKey: string
  readonly right: Right
  /** The levels of the delay ladder that it waits on: its delay in seconds. */
  readonly levels: number
  /** The method frame of a publish there; undefined when a name is too long for the wire. */
  readonly method: Buffer | undefined
}

/** Names and levels of the delay ladder are few, but users may choose any delay. */
const maxRoutes = 4096

export const make = (namespace: string): ((to: Address) => Route) => {
  const events = Topology.events(namespace)
  const dead = Topology.deadExchange(namespace)
  const parked = Topology.parkedExchange(namespace)
  const find = (to: Address): { readonly exchange: string; readonly routingKey: string } => {
    switch (to._tag) {
      case "Event":
        return { exchange: events, routingKey: to.name }
      case "DelayedEvent":
        return Ladder.entry(namespace, to.seconds, Ladder.toEvent(to.name))
      case "Subscriber":
        return Ladder.entry(namespace, to.seconds, Ladder.toSubscriber(to.name))
      case "DeadLetter":
        return { exchange: dead, routingKey: to.subscriber }
      case "Parked":
        return { exchange: parked, routingKey: to.subscriber }
      case "Foreign":
        return { exchange: to.exchange, routingKey: to.routingKey }
    }
  }
  const rights = new Map<string, Right>()
  const rightOf = (to: Address, exchange: string): Right => {
    const isDelayed = to._tag === "DelayedEvent" || to._tag === "Subscriber"
    // Topics of the ladder differ by their delay, and direct exchanges have no topic rights.
    const name =
      to._tag === "Event" || isDelayed
        ? `${exchange} ${to._tag} ${to.name}`
        : to._tag === "Foreign"
          ? `${exchange} ${to._tag} ${to.routingKey}`
          : exchange
    let right = rights.get(name)
    if (right === undefined) rights.set(name, (right = { allowedIn: 0, isForeign: to._tag === "Foreign" }))
    return right
  }
  const known = new Map<string, Map<string, Route>>()
  let count = 0
  return (to) => {
    const [kind, name] =
      to._tag === "Event"
        ? [eventKind, to.name]
        : to._tag === "DelayedEvent" || to._tag === "Subscriber"
          ? [`${to._tag} ${to.seconds}`, to.name]
          : to._tag === "Foreign"
            ? [`${to._tag} ${to.exchange}`, to.routingKey]
            : [to._tag, to.subscriber]
    let routes = known.get(kind)
    const found = routes?.get(name)
    if (found !== undefined) return found
    const { exchange, routingKey } = find(to)
    if (++count > maxRoutes) {
      known.clear()
      rights.clear()
      routes = undefined
      count = 1
    }
    const right = rightOf(to, exchange)
    const levels = to._tag === "DelayedEvent" || to._tag === "Subscriber" ? to.seconds : 0
    const route = { exchange, routingKey, right, levels, method: MethodFrame.publish(exchange, routingKey) }
    if (routes === undefined) known.set(kind, (routes = new Map()))
    routes.set(name, route)
    return route
  }
}
const eventKind = "Event"

/**
 * Where a message was sent by way of the runtime's own exchanges, those of the delay ladder and of parked events.
 * Undefined for everything else.
 */
export const origin = (
  namespace: string
): ((
  exchange: string,
  routingKey: string
) => { readonly kind: "subscriber" | "event"; readonly name: string } | undefined) => {
  const parked = Topology.parkedExchange(namespace)
  const undeliverable = Topology.undeliverable(namespace)
  const deliver = Ladder.deliverExchange(namespace)
  return (exchange, routingKey) => {
    if (exchange === parked) return { kind: "subscriber", name: routingKey }
    // An undeliverable event that a reader stored anew came over the ladder, too.
    return Ladder.destination(namespace, exchange === undeliverable ? deliver : exchange, routingKey)
  }
}
