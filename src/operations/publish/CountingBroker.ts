/** Brokers that stand before another one, or before none: what is published is counted, or not sent at all. */
import * as Effect from "effect/Effect"
import * as SubscriptionRef from "effect/SubscriptionRef"
import { Broker, type BrokerStatus, inFlight } from "../../bus/port/Broker.ts"
import { routed } from "../../bus/port/SendOutcome.ts"

/** What the broker has confirmed. */
export interface Tally {
  confirmed: number
  /** Of these, the events that no subscriber was bound to. */
  unrouted: number
}

/** Counts what is confirmed, also when the publish is interrupted. */
export const counting = (broker: Broker["Service"], tally: Tally): Broker["Service"] =>
  Broker.of({
    ...broker,
    send: (shipment) =>
      broker.send(
        inFlight(shipment.message, (outcome) => {
          if (outcome._tag === "Confirmed") {
            tally.confirmed++
            // A delayed event is routed when it is due.
            if (!outcome.routed && shipment.message.to._tag === "Event") tally.unrouted++
          }
          shipment.answered(outcome)
        })
      )
  })

const unused = Effect.die("a dry run neither consumes nor declares")

/** Confirms everything and sends nothing: a dry run passes the same checks as a publish. */
export const dry: Effect.Effect<Broker["Service"]> = Effect.map(
  SubscriptionRef.make<BrokerStatus>({ _tag: "Up", since: 0 }),
  (status) =>
    Broker.of({
      namespace: "dry-run",
      features: { transport: "memory", persistent: false, remote: false },
      status,
      send: (shipment) => shipment.answered(routed),
      declare: () => unused,
      consume: () => unused,
      consumeForeign: () => unused,
      consumeEphemeral: () => unused,
      depth: () => unused,
      deadLetterDepth: () => unused,
      readDeadLetters: () => unused,
      probes: []
    })
)
