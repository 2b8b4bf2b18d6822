/**
 * An operator's program: replays the dead letters of one subscriber and writes down what it did. It can
 * be told to die soon after the n-th confirm, of which nobody hears; what is sent behind its n-th copy is
 * still in the process then.
 */
import { Effect, Layer } from "effect"
import { AmqpBroker } from "../../src/amqp/index.ts"
import { Broker } from "../../src/bus/Broker.ts"
import { DeadLetters } from "../../src/bus/DeadLetters.ts"

const [url = "", namespace = "", subscriber = "", dieAt = "0"] = process.argv.slice(2)

const mortalAt = Number(dieAt)
let copies = 0
let confirms = 0
const mortal = Layer.effect(
  Broker,
  Effect.map(Broker, (broker) =>
    Broker.of({
      ...broker,
      send: (message, done) => {
        if (mortalAt > 0 && ++copies > mortalAt) return
        broker.send(message, (outcome) => {
          if (outcome._tag !== "Confirmed" || ++confirms !== mortalAt) return done(outcome)
          // What was acknowledged until now is on its way.
          setTimeout(() => process.kill(process.pid, "SIGKILL"), 20)
        })
      }
    })
  )
).pipe(Layer.provide(AmqpBroker.layer({ servers: url, namespace, source: "operator" })))

const program = Effect.gen(function* () {
  const letters = yield* DeadLetters
  process.stdout.write("begins\n")
  return yield* letters.replay(subscriber)
}).pipe(Effect.provide(DeadLetters.layer.pipe(Layer.provide(mortal))))

process.stdout.write(`${JSON.stringify(await Effect.runPromise(program))}\n`)
