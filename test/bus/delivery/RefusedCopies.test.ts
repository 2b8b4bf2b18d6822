/** Copies that the broker takes at no time: each ends, and holds up nothing. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { Broker, inFlight } from "../../../src/bus/port/Broker.ts"
import { BrokerError } from "../../../src/bus/port/BrokerError.ts"
import { BrokerRefused, PermissionDenied } from "../../../src/bus/port/BrokerReason.ts"
import { notSent } from "../../../src/bus/port/SendOutcome.ts"
import { Reject } from "../../../src/bus/subscriber/HandlerError.ts"
import * as MemoryBroker from "../../../src/memory/MemoryBroker.ts"
import * as MemoryCache from "../../../src/memory/MemoryCache.ts"
import { processOver, start } from "../../../src/ports/conformance/setup/BusProcess.ts"
import { fresh, numbered, numbers } from "../../../src/ports/conformance/setup/TestEvents.ts"
import { fromCallback } from "../../support/CallbackSend.ts"
import * as Stage from "../Stage.ts"

const refusals = {
  "too large": new BrokerRefused({ operation: "publish", detail: "the body has 20 bytes, the broker takes 10" }),
  "not permitted": new PermissionDenied({ entity: "exchange eduflow.dead (write)", username: "u" })
}

describe("copies that the broker refuses", () => {
  for (const [why, reason] of Object.entries(refusals))
    it.effect(`P3, P5, R1: dead letters that are ${why} are left to the broker, and hold up nothing`, () =>
      Effect.gen(function* () {
        const refusing = fresh()
        const well = fresh()
        let refused = 0
        let declares = 0
        const broken = Layer.effect(
          Broker,
          Effect.map(Broker, (broker) =>
            Broker.of({
              ...broker,
              declare: (spec) => {
                const declared = broker.declare(spec)
                return Effect.suspend(() => {
                  if (spec.name === refusing) declares++
                  return declared
                })
              },
              send: fromCallback((message, done) => {
                const { to } = message
                if (to._tag !== "DeadLetter" || to.subscriber !== refusing) return broker.send(inFlight(message, done))
                refused++
                setImmediate(() => done(notSent(new BrokerError({ reason }))))
              })
            })
          )
        ).pipe(Layer.provide(MemoryBroker.layer()))
        const { bus, internals, letters, subscribe } = yield* start(processOver(Layer.merge(broken, MemoryCache.layer)))
        const Happened = numbered()
        const handler = () => Effect.fail(new Reject({ reason: "poison" }))
        // More than the copies that may be in flight together.
        const stuck = yield* subscribe(refusing, { events: [Happened], prefetch: 200, handler })
        yield* subscribe(well, { events: [Happened], prefetch: 200, handler })
        const before = declares
        yield* bus.publishAll(Happened, numbers(150)).pipe(Effect.forkChild({ startImmediately: true }))
        yield* Stage.pass(5_000, 100)
        assert.strictEqual(yield* letters.count(well), 150)
        assert.strictEqual(yield* letters.count(refusing), 150)
        assert.strictEqual((yield* stuck.stats).held, 0)
        assert.isAtMost(refused, 3 * 150)
        assert.strictEqual(declares, before, "what is declared does not help")
        const [letter] = yield* letters.list(refusing, { limit: 1 })
        assert.strictEqual(letter?.reason, "LetterRefused")
        const probes = yield* internals.probes
        const health = yield* probes.find(({ name }) => name === "refused copies")?.check ?? Effect.die("no probe")
        assert.strictEqual(health.status, "degraded")
        assert.match(health.detail, new RegExp(`^150 events were .* of ${refusing}: .*(10|permission)`))
      })
    )
})
