import { Batch, CurrentActor, EventBus, Reject, runMain, Subscriber } from "@eduflow/events"
import { Effect, Layer } from "effect"
import { ProfileUpdated } from "./events.ts"

export const SearchIndex = Subscriber.layer("search.profiles", {
  events: [ProfileUpdated],
  batch: { size: 500, maxWait: "200 millis" },
  handler: (events) =>
    Batch.each(events, ({ data }) =>
      data.email === "" ? Effect.fail(new Reject({ reason: "no address" })) : Effect.log(`index ${data.userId}`)
    )
})

export const program = Effect.gen(function* () {
  const bus = yield* EventBus
  yield* bus.publish(ProfileUpdated, { userId: "u-1", email: "ann@example.org", language: "en" })
  yield* bus.publish(ProfileUpdated, { userId: "u-1", email: "", language: "en" })
  yield* Effect.sleep("1 second")
}).pipe(Effect.provideService(CurrentActor, { id: "u-1", role: "student" }))

if (import.meta.main) {
  runMain(program.pipe(Effect.provide(SearchIndex.pipe(Layer.provideMerge(EventBus.layerMemory())))))
}
