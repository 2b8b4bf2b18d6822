/** A service with one handler that takes a given time, for the tests of shutdown. */
import { Duration, Effect, Layer, Schema } from "effect"
import { Event, EventBus, runMain, Subscriber } from "../../src/index.ts"

const Happened = Event.make("slow.thing.happened", { version: 1, data: Schema.Struct({}) })
const [handlerMillis = "0", drainMillis = "25000", deadline] = process.argv.slice(2)

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
  Begin.pipe(
    Layer.provide(Slow),
    Layer.provide(EventBus.layerMemory({ drainTimeout: Duration.millis(Number(drainMillis)) }))
  ),
  deadline === undefined ? {} : { deadline: Number(deadline) }
)
