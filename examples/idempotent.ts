import { EventBus, runMain, Subscriber } from "@eduflow/events"
import { Effect, Layer } from "effect"
import { AccountClosed } from "./events.ts"

export const Billing = Subscriber.layer("billing.accounts", {
  events: [AccountClosed],
  handler: (event, { fence }) => Effect.log(`final invoice for ${event.data.userId}, claim ${fence}`),
  idempotent: true,
  breaker: { failures: 10, openDuration: "30 seconds" },
  rateLimit: { limit: 100, window: "1 second" }
})

export const program = Effect.gen(function* () {
  const bus = yield* EventBus
  const options = { id: "closing-of-u-1" }
  yield* bus.publish(AccountClosed, { userId: "u-1" }, options)
  yield* bus.publish(AccountClosed, { userId: "u-1" }, options)
  yield* Effect.sleep("500 millis")
})

if (import.meta.main) {
  runMain(program.pipe(Effect.provide(Billing.pipe(Layer.provideMerge(EventBus.layerMemory())))))
}
