/**
 * Where an address of the bus lies on RabbitMQ: the exchange to publish to, and the routing key.
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
    }
  }
}
