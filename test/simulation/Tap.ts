/**
 * The port `Broker` of one process with somebody who writes down what passes, and an optional bug.
 * Between the bus and this comes the bug: what is written down is what the broker heard and said.
 */
import { Effect, type Scope } from "effect"
import type { Body } from "../../src/event/Body.ts"
import type { Broker, ConsumeOptions, Delivery, Outgoing, SendOutcome } from "../../src/bus/Broker.ts"
import type { MarkStore } from "../../src/bus/Marks.ts"
import type { DeliveryInfo } from "../../src/bus/SubscriberOptions.ts"
import type { Subscription } from "../../src/bus/Subscription.ts"
import type { Ledger, Sent } from "./Ledger.ts"
import type { Subscriber } from "./Setup.ts"

export type Service = Broker["Service"]
/** A bug: the port as the bus sees it, made of the port as it is. */
export type Bug = (port: Service) => Service

/** Bugs elsewhere than in the use of the broker. */
export interface Bugs {
  readonly port?: Bug
  readonly marks?: (store: MarkStore) => MarkStore
  readonly subscription?: (subscription: Subscription) => Subscription
  /** The subscriber as it is registered, made of the one that the reference knows. */
  readonly subscriber?: (subscriber: Subscriber) => Subscriber
  /** What runs for a delivery, made of the handler. */
  readonly attempt?: <E>(
    run: (info: DeliveryInfo) => Effect.Effect<void, E>,
    info: DeliveryInfo
  ) => Effect.Effect<unknown, E>
  /** Whether each process has breakers and rate limits of its own. */
  readonly isAlone?: boolean
}

export interface Life {
  readonly name: string
  readonly slot: number
  /** Whether its process lives. */
  alive: boolean
  /** Deliveries that were not acknowledged, by subscriber and number. */
  readonly held: Map<string, Set<Delivery>>
  /** Handlers at work, by subscriber. */
  readonly running: Map<string, number>
  scope: Scope.Closeable | undefined
  sending: number
  copying: number
  /** Replays that run, or were broken off: their copies are no part of a drain, since a letter is kept until its copy is stored. */
  replaying: number
}

export const numberOf = (body: Body): number | undefined => {
  try {
    const { data } = JSON.parse(body.toString()) as { readonly data?: { readonly n?: number } }
    return data?.n
  } catch {
    return undefined
  }
}

export const tap = (
  port: Service,
  ledger: Ledger,
  life: Life,
  bounds: { readonly inFlight: number },
  prefetchOf: (subscriber: string) => number
): Service => {
  const send = (message: Outgoing, done: (outcome: SendOutcome) => void): void => {
    const n = numberOf(message.body)
    if (n === undefined || message.properties.type.startsWith("bus.")) return port.send(message, done)
    const { to } = message
    const target = to._tag === "DeadLetter" || to._tag === "Parked" ? to.subscriber : to.name
    const sent: Sent = ledger.sent(n, {
      process: life.name,
      to: to._tag === "DelayedEvent" ? "Event" : to._tag,
      subscriber: target,
      answer: undefined
    })
    ledger.seen(n, message.properties.messageId, "a send")
    if (sent.to === "Event") ledger.bodies.set(n, (ledger.bodies.get(n) ?? new Set()).add(message.body.toString()))
    const isCopy = sent.to !== "Event"
    const count = isCopy ? ++life.copying : ++life.sending
    if (life.alive && count > (isCopy ? 64 + 64 : bounds.inFlight)) {
      ledger.violate("P13", `${life.name} has ${count} ${isCopy ? "copies" : "events"} in flight`, n)
    }
    const delay = "seconds" in to && to.seconds > 0 ? ` in ${to.seconds} s` : ""
    if (life.alive) ledger.note(`${life.name} sends to ${to._tag} ${target}${delay}`, n)
    port.send(message, (outcome) => {
      if (isCopy) life.copying--
      else life.sending--
      sent.answer = outcome._tag === "Confirmed" ? (outcome.routed ? "Routed" : "Unrouted") : outcome._tag
      // What is sent again after this may come twice.
      if (outcome._tag === "Lost" || outcome._tag === "Rejected") ledger.disturbances++
      if (life.alive) ledger.note(`${life.name} hears ${sent.answer} of ${to._tag} ${target}`, n)
      if (sent.to === "DeadLetter" && sent.answer === "Routed") ledger.settled(target, n)
      done(outcome)
    })
  }
  const consume: Service["consume"] = (options) => {
    const { subscriber } = options
    let unsettled = 0
    const onDelivery = (delivery: Delivery): void => {
      const n = numberOf(delivery.body)
      if (n === undefined) return options.onDelivery(delivery)
      const fate = ledger.fate(subscriber, n)
      fate.deliveries++
      if (delivery.redelivered) {
        fate.redelivered++
        fate.returns = Math.max(fate.returns, delivery.deliveryCount)
        ledger.disturbances++
      }
      if (life.alive)
        ledger.note(
          `${life.name} ${subscriber} gets${delivery.redelivered ? ` again (${delivery.deliveryCount})` : ""}`,
          n
        )
      // All that is parked is held by who is active.
      if (++unsettled > prefetchOf(subscriber) && options.queue !== "parked") {
        ledger.violate("P13", `${life.name} holds ${unsettled} deliveries of ${subscriber} from one consumer`, n)
      }
      const name = `${subscriber}/${n}`
      const held = life.held.get(name) ?? new Set()
      life.held.set(name, held)
      const ack = (): void => {
        if (held.delete(watched)) unsettled--
        if (life.alive) ledger.note(`${life.name} ${subscriber} acknowledges${delivery.lost() ? ", too late" : ""}`, n)
        delivery.ack()
      }
      const watched: Delivery = { ...delivery, ack }
      held.add(watched)
      options.onDelivery(watched)
    }
    const onLost: ConsumeOptions["onLost"] = (error) => {
      if (life.alive) ledger.note(`${life.name} ${subscriber} lost its consumer`)
      options.onLost(error)
    }
    return Effect.tap(port.consume({ ...options, onDelivery, onLost }), () =>
      Effect.sync(() => {
        if (life.alive) ledger.note(`${life.name} ${subscriber} consumes ${options.prefetch}`)
      })
    )
  }
  return { ...port, send, consume }
}

/** Whether a process still has this event in a consumer that is not lost. */
export const holds = (life: Life, subscriber: string, n: number): boolean => {
  for (const delivery of life.held.get(`${subscriber}/${n}`) ?? []) if (!delivery.lost()) return true
  return false
}
