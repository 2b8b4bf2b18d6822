/** Consumers that keep their deliveries. */
import { Effect, Exit, Schedule, Scope } from "effect"
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

/**
 * Settles everything in the queue and returns the ids. It consumes again when its consumer is lost: a test that broke
 * connections may get here before the broker has noticed the last break.
 */
export const drained = Effect.fnUntraced(function* (broker: Service, name: string, marker: string) {
  const end = outgoing(event(marker), { properties: { messageId: "the end" } })
  yield* sendUntilConfirmed(broker, () => end)
  const ids = new Set<string>()
  const life = Effect.gen(function* () {
    const { losses } = yield* consume(broker, name, 250, ({ ack, properties }) => {
      ids.add(properties.messageId ?? "?")
      ack()
    })
    yield* until(
      () => "the end of the queue",
      () => ids.has("the end") || losses.length > 0
    )
    const [loss] = losses
    if (loss !== undefined && !ids.has("the end")) return yield* loss
  }).pipe(Effect.scoped)
  yield* Effect.retry(life, { while: ({ isRetryable }) => isRetryable, schedule: Schedule.spaced("50 millis") })
  return ids
})
