/** A process of a run from its start to its end, and the bugs that can be planted in it. */
import type { Effect, Scope } from "effect"
import type { Broker, Delivery } from "../../src/bus/port/Broker.ts"
import type { ClaimStore } from "../../src/bus/port/ClaimStore.ts"
import type { DeliveryInfo } from "../../src/bus/subscriber/SubscriberOptions.ts"
import type { Subscription } from "../../src/bus/subscriber/Subscription.ts"
import type { Subscriber } from "./Setup.ts"

export interface Life {
  readonly name: string
  readonly slot: number
  alive: boolean
  /** Whether it has begun to end in order. */
  leaving: boolean
  /** Deliveries that were not acknowledged, by subscriber and number. */
  readonly held: Map<string, Set<Delivery>>
  /** Running handlers, by subscriber. */
  readonly running: Map<string, number>
  scope: Scope.Closeable | undefined
  sending: number
  copying: number
  /** Replays that run or were interrupted. A drain does not wait for their copies: a dead letter is kept until its copy is stored. */
  replaying: number
}

export const newLife = (name: string, slot: number): Life => ({
  name,
  slot,
  alive: true,
  leaving: false,
  held: new Map(),
  running: new Map(),
  scope: undefined,
  sending: 0,
  copying: 0,
  replaying: 0
})

/** Whether a process still has this event from a consumer that is not lost. */
export const holds = (life: Life, subscriber: string, n: number): boolean => {
  for (const delivery of life.held.get(`${subscriber}/${n}`) ?? []) if (!delivery.lost()) return true
  return false
}

export type BrokerPort = Broker["Service"]

/** A bug in the use of the broker: the port as the bus sees it, made from the real one. */
export type PortBug = (port: BrokerPort) => BrokerPort

/** Bugs anywhere. */
export interface Bugs {
  readonly port?: PortBug
  readonly claims?: (store: ClaimStore["Service"]) => ClaimStore["Service"]
  readonly subscription?: (subscription: Subscription) => Subscription
  /** The subscriber as it is registered, made from the one that the reference knows. */
  readonly subscriber?: (subscriber: Subscriber) => Subscriber
  /** What runs for a delivery, made from the handler. */
  readonly attempt?: <E>(
    run: (info: DeliveryInfo) => Effect.Effect<void, E>,
    info: DeliveryInfo
  ) => Effect.Effect<unknown, E>
  /** Each process has breakers and rate limits of its own. */
  readonly isAlone?: boolean
}
