import { EventBus, runMain, Subscriber } from "@eduflow/events"
import { Effect, Layer, Schedule } from "effect"
import { AccountClosed } from "./events.ts"

export const Ledger = Subscriber.layer("ledger.accounts", {
  events: [AccountClosed],
  handler: (event) => Effect.log(`book ${event.data.userId}`),
  ordering: "key",
  onBlocked: "park",
  retry: Schedule.exponential("1 minute").pipe(Schedule.upTo({ duration: "3 days" }))
})

export const program = Effect.gen(function* () {
  const bus = yield* EventBus
  yield* bus.publishAll(AccountClosed, [{ userId: "u-1" }, { userId: "u-2" }, { userId: "u-1" }])
  yield* Effect.sleep("500 millis")
})

if (import.meta.main) {
  runMain(program.pipe(Effect.provide(Ledger.pipe(Layer.provideMerge(EventBus.layerMemory())))))
}
