/** A dead-letter queue that refuses messages affects its own subscriber only. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { Broker, inFlight } from "../../../src/bus/port/Broker.ts"
import { Reject } from "../../../src/bus/subscriber/HandlerError.ts"
import * as MemoryBroker from "../../../src/memory/MemoryBroker.ts"
import * as MemoryCache from "../../../src/memory/MemoryCache.ts"
import { fresh, numbered, numbers } from "../../../src/ports/conformance/setup/TestEvents.ts"
import { processOver, start } from "../../../src/ports/conformance/setup/BusProcess.ts"
import * as Stage from "../Stage.ts"
import { fromCallback } from "../../support/CallbackSend.ts"
import { rejected } from "../../../src/bus/port/SendOutcome.ts"

describe("a dead-letter queue that refuses messages", () => {
  it.effect("R1, T6, P5, P3: holds up its own events and those of no other subscriber, and loses none", () =>
    Effect.gen(function* () {
      const refusing = fresh()
      const well = fresh()
      let refuses = true
      let refused = 0
      const broken = Layer.effect(
        Broker,
        Effect.map(Broker, (broker) =>
          Broker.of({
            ...broker,
            send: fromCallback((message, done) => {
              const { to } = message
              if (!refuses || to._tag !== "DeadLetter" || to.subscriber !== refusing)
                return broker.send(inFlight(message, done))
              refused++
              setImmediate(() => done(rejected))
            })
          })
        )
      ).pipe(Layer.provide(MemoryBroker.layer()))
      const { bus, letters, subscribe } = yield* start(processOver(Layer.merge(broken, MemoryCache.layer)))
      const Happened = numbered()
      const handler = () => Effect.fail(new Reject({ reason: "poison" }))
      // More than the copies that may be in flight together.
      const stuck = yield* subscribe(refusing, { events: [Happened], prefetch: 200, handler })
      yield* subscribe(well, { events: [Happened], prefetch: 200, handler })
      yield* bus.publishAll(Happened, numbers(150)).pipe(Effect.forkChild({ startImmediately: true }))
      yield* Stage.pass(5_000, 100)
      assert.isAbove(refused, 150)
      assert.strictEqual(yield* letters.count(well), 150)
      assert.strictEqual(yield* letters.count(refusing), 0)
      assert.strictEqual((yield* stuck.stats).held, 150, "they are not acknowledged")
      refuses = false
      yield* Stage.pass(15_000, 100)
      assert.strictEqual(yield* letters.count(refusing), 150)
      assert.strictEqual((yield* stuck.stats).held, 0)
    })
  )
})
