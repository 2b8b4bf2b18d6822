/** A queue that refuses hurts its own subscriber only. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { Broker } from "../../src/bus/Broker.ts"
import { Reject } from "../../src/bus/BusError.ts"
import * as MemoryBroker from "../../src/memory/MemoryBroker.ts"
import * as MemoryCache from "../../src/memory/MemoryCache.ts"
import { fresh, numbered, numbers, processOver, start } from "../suites/Workbench.ts"
import * as Stage from "./Stage.ts"

describe("a dead-letter queue that refuses", () => {
  it.effect("R1, T6, P5, P3: holds its own events, none of another subscriber, and loses none", () =>
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
            send: (message, done) => {
              const { to } = message
              if (!refuses || to._tag !== "DeadLetter" || to.subscriber !== refusing) return broker.send(message, done)
              refused++
              setImmediate(() => done({ _tag: "Rejected" }))
            }
          })
        )
      ).pipe(Layer.provide(MemoryBroker.layer()))
      const { bus, letters, subscribe } = yield* start(processOver(Layer.merge(broken, MemoryCache.layer)))
      const Happened = numbered()
      const handler = () => Effect.fail(new Reject({ reason: "poison" }))
      // More than the copies that may be under way together.
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
