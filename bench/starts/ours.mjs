// Start to the first delivered event, with the library as it is installed: the built one.
import { Effect, Schema } from "effect"
import { Event, EventBus } from "../../dist/index.js"

const Posted = Event.make("bench.start.posted", {
  version: 1,
  data: Schema.Struct({ text: Schema.String }),
  cache: false
})

await Effect.runPromise(
  Effect.gen(function* () {
    const bus = yield* EventBus
    yield* bus.subscribe("bench.start", { events: [Posted], handler: () => Effect.sync(() => process.send("first")) })
    yield* bus.publish(Posted, { text: "hello" })
    yield* Effect.never
  }).pipe(
    Effect.scoped,
    Effect.provide(EventBus.layerAmqp({ url: process.argv[2], namespace: "eduflow", source: "bench" }))
  )
)
