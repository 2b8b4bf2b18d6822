/**
 * An operator's program: replays the dead letters of one subscriber and prints the report. It can be asked to die
 * soon after the n-th confirm, which it keeps to itself; copies after the n-th are then still in the process.
 */
import { Effect, Layer } from "effect"
import { AmqpBroker } from "../../../src/amqp/index.ts"
import { Broker, inFlight } from "../../../src/bus/port/Broker.ts"
import { DeadLetters } from "../../../src/bus/deadletter/DeadLetters.ts"
import { fromCallback } from "../../support/CallbackSend.ts"

const [url = "", namespace = "", subscriber = "", dieAt = "0"] = process.argv.slice(2)

const mortalAt = Number(dieAt)
let copies = 0
let confirms = 0
const mortal = Layer.effect(
  Broker,
  Effect.map(Broker, (broker) =>
    Broker.of({
      ...broker,
      send: fromCallback((message, done) => {
        if (mortalAt > 0 && ++copies > mortalAt) return
        broker.send(
          inFlight(message, (outcome) => {
            if (outcome._tag !== "Confirmed" || ++confirms !== mortalAt) return done(outcome)
            // Until then the acks that were sent reach the broker.
            setTimeout(() => process.kill(process.pid, "SIGKILL"), 20)
          })
        )
      })
    })
  )
).pipe(Layer.provide(AmqpBroker.layer({ servers: url, namespace, source: "operator" })))

const program = Effect.gen(function* () {
  const letters = yield* DeadLetters
  process.stdout.write("begins\n")
  return yield* letters.replay(subscriber)
}).pipe(Effect.provide(DeadLetters.layer.pipe(Layer.provide(mortal))))

process.stdout.write(`${JSON.stringify(await Effect.runPromise(program))}\n`)
