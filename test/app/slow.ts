/** A service whose one handler takes as long as it is told; for the tests of its end. */
import { Duration, Effect, Layer, Schema } from "effect"
import { Event, EventBus, eventBusMemory, runMain, Subscriber } from "../../src/index.ts"

const Happened = Event.make("slow.thing.happened", { version: 1, data: Schema.Struct({}) })
const [handlerMillis = "0", drainMillis = "25000", deadlineMillis] = process.argv.slice(2)

const Slow = Subscriber.layer("slow.subscriber", {
  events: [Happened],
  handler: () =>
    Effect.gen(function* () {
      process.stdout.write("started\n")
      yield* Effect.sleep(Duration.millis(Number(handlerMillis)))
      process.stdout.write("finished\n")
    })
})
const Begin = Layer.effectDiscard(Effect.flatMap(EventBus, (bus) => bus.publish(Happened, {})))

runMain(
  Begin.pipe(Layer.provide(Slow), Layer.provide(eventBusMemory({ drain: Duration.millis(Number(drainMillis)) }))),
  deadlineMillis === undefined ? {} : { deadlineMillis: Number(deadlineMillis) }
)
