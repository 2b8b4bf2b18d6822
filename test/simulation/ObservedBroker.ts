/**
 * The broker port of one process, observed. A planted bug sits between the bus and this, so what is recorded
 * is what really reached the broker and what it really answered.
 */
import { Effect } from "effect"
import type { Body } from "../../src/event/Body.ts"
import type { ConsumeOptions, Delivery } from "../../src/bus/port/Broker.ts"
import { type CallbackSend, fromCallback, toCallback } from "../support/CallbackSend.ts"
import type { BrokerPort, Life } from "./Life.ts"
import type { Observations, Sent } from "./Observations.ts"

export const numberOf = (body: Body): number | undefined => {
  try {
    const { data } = JSON.parse(body.toString()) as { readonly data?: { readonly n?: number } }
    return data?.n
  } catch {
    return undefined
  }
}

/** How many copies may be in flight: 250 that settle deliveries, and 128 of a replay. */
const maxCopies = 250 + 128

export interface Bounds {
  readonly inFlight: number
  readonly prefetchOf: (subscriber: string) => number
}

export const observe = (port: BrokerPort, observed: Observations, life: Life, bounds: Bounds): BrokerPort => ({
  ...port,
  send: fromCallback(observeSends(toCallback(port.send), observed, life, bounds)),
  consume: (options) =>
    Effect.tap(port.consume(observeConsumer(options, observed, life, bounds)), () =>
      Effect.sync(() => {
        if (life.alive) observed.note(`${life.name} ${options.subscriber} consumes ${options.prefetch}`)
      })
    )
})

const observeSends =
  (send: CallbackSend, observed: Observations, life: Life, bounds: Bounds): CallbackSend =>
  (message, done) => {
    const n = numberOf(message.body)
    if (n === undefined || message.properties.type.startsWith("bus.")) return send(message, done)
    const { to } = message
    if (to._tag === "Foreign") return send(message, done)
    const target = to._tag === "DeadLetter" || to._tag === "Parked" ? to.subscriber : to.name
    const sent: Sent = observed.sent(n, {
      process: life.name,
      to: to._tag === "DelayedEvent" ? "Event" : to._tag,
      subscriber: target,
      answer: undefined
    })
    observed.seen(n, message.properties.messageId, "a send")
    if (sent.to === "Event") observed.bodies.set(n, (observed.bodies.get(n) ?? new Set()).add(message.body.toString()))
    const isCopy = sent.to !== "Event"
    const count = isCopy ? ++life.copying : ++life.sending
    if (life.alive && count > (isCopy ? maxCopies : bounds.inFlight)) {
      observed.violate("P13", `${life.name} has ${count} ${isCopy ? "copies" : "events"} in flight`, n)
    }
    const delay = "seconds" in to && to.seconds > 0 ? ` in ${to.seconds} s` : ""
    if (life.alive) observed.note(`${life.name} sends to ${to._tag} ${target}${delay}`, n)
    send(message, (outcome) => {
      if (isCopy) life.copying--
      else life.sending--
      sent.answer = outcome._tag === "Confirmed" ? (outcome.routed ? "Routed" : "Unrouted") : outcome._tag
      // If it is sent again after this, it may arrive twice.
      if (outcome._tag === "Unknown" || outcome._tag === "Rejected") observed.disturbances++
      if (life.alive) observed.note(`${life.name} is answered ${sent.answer} for ${to._tag} ${target}`, n)
      if (sent.to === "DeadLetter" && sent.answer === "Routed") observed.settled(target, n)
      done(outcome)
    })
  }

const observeConsumer = (
  options: ConsumeOptions,
  observed: Observations,
  life: Life,
  bounds: Bounds
): ConsumeOptions => {
  const { subscriber } = options
  let unsettled = 0
  const onDelivery = (delivery: Delivery): void => {
    const n = numberOf(delivery.body)
    if (n === undefined) return options.onDelivery(delivery)
    const fate = observed.fate(subscriber, n)
    fate.deliveries++
    fate.deliveredAt = observed.now()
    if (delivery.redelivered) {
      fate.redelivered++
      fate.returns = Math.max(fate.returns, delivery.deliveryCount)
      observed.disturbances++
    }
    const again = delivery.redelivered ? ` again (${delivery.deliveryCount})` : ""
    if (life.alive) observed.note(`${life.name} ${subscriber} gets${again}`, n)
    // The active process holds everything that is parked.
    if (++unsettled > bounds.prefetchOf(subscriber) && options.queue !== "parked") {
      observed.violate("P13", `${life.name} holds ${unsettled} deliveries of ${subscriber} from one consumer`, n)
    }
    const name = `${subscriber}/${n}`
    const held = life.held.get(name) ?? new Set()
    life.held.set(name, held)
    const ack = (): void => {
      if (held.delete(watched)) unsettled--
      if (life.alive) observed.note(`${life.name} ${subscriber} acknowledges${delivery.lost() ? ", too late" : ""}`, n)
      delivery.ack()
    }
    const watched: Delivery = { ...delivery, ack }
    held.add(watched)
    options.onDelivery(watched)
  }
  const onLost: ConsumeOptions["onLost"] = (error) => {
    if (life.alive) observed.note(`${life.name} ${subscriber} lost its consumer`)
    options.onLost(error)
  }
  return { ...options, onDelivery, onLost }
}
