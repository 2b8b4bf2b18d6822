/**
 * Where an address of the bus lies on RabbitMQ: the exchange to publish to, and the routing key; and back.
 */
import type { Address } from "../bus/Broker.ts"
import * as Ladder from "./DelayLadder.ts"
import * as MethodFrame from "./MethodFrame.ts"
import * as Topology from "./Topology.ts"

export interface Route {
  readonly exchange: string
  readonly routingKey: string
  /** How a publish there begins on the wire; undefined when it is too long for it. */
  readonly method: Buffer | undefined
}

/** Names and levels of the ladder are few; delays of users need not be. */
const most = 4096

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
    }
  }
  const known = new Map<string, Map<string, Route>>()
  let count = 0
  return (to) => {
    const [kind, name] =
      to._tag === "Event"
        ? [eventKind, to.name]
        : to._tag === "DelayedEvent" || to._tag === "Subscriber"
          ? [`${to._tag} ${to.seconds}`, to.name]
          : [to._tag, to.subscriber]
    let routes = known.get(kind)
    const found = routes?.get(name)
    if (found !== undefined) return found
    const { exchange, routingKey } = find(to)
    const route = { exchange, routingKey, method: MethodFrame.publish(exchange, routingKey) }
    if (++count > most) {
      known.clear()
      routes = undefined
      count = 1
    }
    if (routes === undefined) known.set(kind, (routes = new Map()))
    routes.set(name, route)
    return route
  }
}
const eventKind = "Event"

/**
 * What the runtime itself sent, by the exchange that it came from: those of the ladder and the one of
 * parked events, which only the runtime may write to. Undefined for everything else.
 */
export const origin = (
  namespace: string
): ((
  exchange: string,
  routingKey: string
) => { readonly kind: "subscriber" | "event"; readonly name: string } | undefined) => {
  const events = Topology.events(namespace)
  const parked = Topology.parkedExchange(namespace)
  return (exchange, routingKey) => {
    if (exchange === events) return undefined
    return exchange === parked
      ? { kind: "subscriber", name: routingKey }
      : Ladder.destination(namespace, exchange, routingKey)
  }
}
