/** Consumers that keep their deliveries. */
import { Effect, Exit, Scope } from "effect"
import type { Delivery, SubscriberSpec } from "../../../src/bus/port/Broker.ts"
import type { BrokerError } from "../../../src/bus/port/BrokerError.ts"
import type { Service } from "./OpenBroker.ts"
import { event, outgoing, sendUntilConfirmed } from "./Sends.ts"
import { until } from "./Until.ts"

export const subscriber = (
  name: string,
  patterns: ReadonlyArray<string>,
  ordering: SubscriberSpec["ordering"] = "none"
): SubscriberSpec => ({ name, patterns, ordering })

/** Consumes and holds every delivery unless `each` settles it. */
export const consume = Effect.fnUntraced(function* (
  broker: Service,
  name: string,
  prefetch = 100,
  each: (delivery: Delivery) => void = () => {}
) {
  const scope = yield* Scope.fork(yield* Effect.scope)
  const deliveries: Array<Delivery> = []
  const losses: Array<BrokerError> = []
  const consumer = yield* broker
    .consume({
      subscriber: name,
      prefetch,
      onDelivery: (delivery) => {
        deliveries.push(delivery)
        each(delivery)
      },
      onLost: (error) => void losses.push(error)
    })
    .pipe(Scope.provide(scope))
  return {
    deliveries,
    losses,
    cancel: consumer.cancel,
    flush: consumer.flush,
    ids: () => deliveries.map(({ properties }) => properties.messageId ?? "?"),
    reaches: (count: number) =>
      until(
        () => `${deliveries.length} of ${count} delivered`,
        () => deliveries.length >= count
      ),
    close: Scope.close(scope, Exit.void)
  }
})

/** Settles everything in the queue and returns the ids. */
export const drained = Effect.fnUntraced(function* (broker: Service, name: string, marker: string) {
  const consumer = yield* consume(broker, name, 250, ({ ack }) => ack())
  const end = outgoing(event(marker), { properties: { messageId: "the end" } })
  yield* sendUntilConfirmed(broker, () => end)
  yield* until(
    () => "the end of the queue",
    () => consumer.ids().includes("the end")
  )
  yield* consumer.close
  return new Set(consumer.ids())
})
