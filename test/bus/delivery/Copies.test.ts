/** A copy is stored before its original is acknowledged (P3). */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Deferred, Effect, Fiber, SubscriptionRef } from "effect"
import { TestClock } from "effect/testing"
import { Reject } from "../../../src/bus/subscriber/HandlerError.ts"
import { fresh, numbered } from "../../../src/ports/conformance/setup/TestEvents.ts"
import * as Copies from "../../../src/bus/delivery/Copies.ts"
import { RefusedCopies } from "../../../src/bus/delivery/RefusedCopies.ts"
import * as InFlightLimit from "../../../src/bus/send/InFlightLimit.ts"
import * as Outbox from "../../../src/bus/send/Outbox.ts"
import * as RuntimeHeaders from "../../../src/bus/send/RuntimeHeaders.ts"
import * as Log from "../../../src/observe/Log.ts"
import * as Scripted from "../ScriptedBroker.ts"
import { delivery } from "../send/HeaderSamples.ts"
import * as Stage from "../Stage.ts"

describe("a copy", () => {
  it.effect(
    "P3, R1: is stored before its original is settled: while the broker blocks publishers, the original stays",
    () =>
      Effect.gen(function* () {
        const { bus, letters, server } = yield* Stage.make
        const Happened = numbered()
        const name = fresh()
        const mayFail = yield* Deferred.make<void>()
        const subscription = yield* bus.subscribe(name, {
          events: [Happened],
          handler: () => Effect.andThen(Deferred.await(mayFail), Effect.fail(new Reject({ reason: "no" })))
        })
        yield* bus.publish(Happened, { n: 1 }).pipe(Effect.forkChild({ startImmediately: true }))
        yield* Stage.pass(1_000)
        assert.strictEqual((yield* subscription.stats).inFlight, 1)
        server.block("low on memory")
        yield* Deferred.succeed(mayFail, undefined)
        yield* Stage.pass(10_000, 500)
        assert.strictEqual(yield* letters.count(name), 0)
        assert.deepInclude(yield* subscription.stats, { inFlight: 0, held: 1, deadLettered: 0 })
        assert.strictEqual(server.counts().unacked, 1)
        server.unblock()
        yield* Stage.pass(30_000, 500)
        assert.strictEqual((yield* letters.list(name)).length, 1)
        assert.deepInclude(yield* subscription.stats, { held: 0, deadLettered: 1 })
        assert.strictEqual(server.counts().unacked, 0)
      })
  )

  it.effect("P3, R2: is sent again when its confirm is lost; a duplicate copy does no other harm", () =>
    Effect.gen(function* () {
      const { bus, letters, server } = yield* Stage.make
      const Happened = numbered()
      const name = fresh()
      let fail = true
      const subscription = yield* bus.subscribe(name, {
        events: [Happened],
        handler: () =>
          Effect.suspend(() => {
            if (!fail) return Effect.void
            // The connection breaks while the copy is on its way.
            setImmediate(() => server.disconnect("stored"))
            fail = false
            return Effect.fail(new Reject({ reason: "no" }))
          })
      })
      yield* bus.publish(Happened, { n: 1 }).pipe(Effect.forkChild({ startImmediately: true }))
      yield* Stage.pass(1_000, 100)
      server.reconnect()
      yield* Stage.pass(120_000, 1_000)
      assert.strictEqual((yield* SubscriptionRef.get(subscription.status))._tag, "Running")
      const { deadLettered, handled } = yield* subscription.stats
      assert.isAtLeast(deadLettered + handled, 1)
      assert.isAtLeast((yield* letters.list(name)).length + handled, 1)
      assert.strictEqual(server.counts().unacked, 0)
    })
  )

  it.effect("stays the event that it was in binary mode, even with the fewest headers and without a content type", () =>
    Effect.gen(function* () {
      const scripted = yield* Scripted.make()
      const broker = { ...scripted.broker, declare: () => Effect.void }
      const outbox = yield* Outbox.make(broker, InFlightLimit.make({ count: 10, bytes: 10_000 }), () => {})
      const make = yield* Copies.make(broker, outbox, yield* Log.make, new RefusedCopies(yield* Clock.Clock))
      yield* TestClock.adjust(0)
      scripted.script = (_, call) => (call === 1 ? Scripted.refused : Scripted.confirmed)
      const attributes = { "cloudEvents:specversion": "1.0", "cloudEvents:id": "e-1" }
      const received = delivery({ ...attributes, tenant: "t-1" }, false)
      const source = {
        subscriber: "s",
        id: "e-1",
        type: "a.b",
        source: "/s",
        key: undefined,
        time: 0,
        correlationId: undefined,
        progress: { ...RuntimeHeaders.fresh, attempt: 2 }
      }
      const copies = make({ name: "s", ordering: "none", patterns: ["a.b"] })
      const stored = yield* Effect.forkChild(copies.delay(received, source, 1_000), { startImmediately: true })
      yield* TestClock.adjust(1_000)
      assert.isTrue(yield* Fiber.join(stored))
      assert.deepStrictEqual(
        scripted.sent.map(({ message }) => message.headers),
        [
          { ...attributes, tenant: "t-1", "bus-attempt": 2 },
          { ...attributes, "bus-attempt": 2 }
        ]
      )
      // The media type of structured mode would make a CloudEvent of what is none.
      for (const { message } of scripted.sent) assert.strictEqual(message.properties.contentType, "application/json")
    })
  )
})
