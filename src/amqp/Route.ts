/**
 * Where an address of the bus lies on RabbitMQ: the exchange to publish to, and the routing key; and back.
 */
import type { Address } from "../bus/Broker.ts"
import * as Ladder from "./DelayLadder.ts"
import * as Topology from "./Topology.ts"

export interface Route {
  readonly exchange: string
  readonly routingKey: string
}

export const make = (namespace: string): ((to: Address) => Route) => {
  const events = Topology.events(namespace)
  const dead = Topology.deadExchange(namespace)
  const parked = Topology.parkedExchange(namespace)
  return (to) => {
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
}

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
