/** Delays of the embedded broker on the test clock, and when it is idle (P3, P7). */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Schema } from "effect"
import { TestClock } from "effect/testing"
import { maxDelaySeconds } from "../../src/bus/port/Broker.ts"
import * as Stage from "./EmbeddedClients.ts"

/** Moves the clock to a time in milliseconds since the start. */
const at = (millis: number) => Effect.andThen(TestClock.setTime(millis), Stage.turns)

describe("a delay", () => {
  it.effect("P7: ends on time and not a millisecond before; the message is confirmed at once", () =>
    Effect.gen(function* () {
      const { broker, server } = yield* Stage.make()
      const consumer = yield* Stage.consume(broker, { ack: true })
      const outcomes = [
        Stage.sending(broker, Stage.delayed("e", 5), "event"),
        Stage.sending(broker, Stage.copyTo("s", 5), "copy")
      ]
      yield* Stage.turns
      assert.deepStrictEqual(outcomes.map(Stage.tags), ["Confirmed", "Confirmed"])
      assert.deepStrictEqual([server.nextDue(), server.counts().delayed], [5000, 2])
      yield* at(4999)
      assert.strictEqual(consumer.ids(), "")
      yield* at(5000)
      assert.strictEqual(consumer.ids(), "event copy")
      assert.deepStrictEqual(
        consumer.got.map(({ routingKey, trusted }) => [routingKey, trusted]),
        [
          ["e", false],
          ["", true]
        ]
      )
      assert.deepStrictEqual([server.nextDue(), server.counts().delayed], [undefined, 0])
    })
  )

  it.effect("that is shorter overtakes an earlier and longer one", () =>
    Effect.gen(function* () {
      const { broker } = yield* Stage.make()
      const consumer = yield* Stage.consume(broker, { ack: true })
      for (const seconds of [maxDelaySeconds, 3600, 2, 60, 1]) {
        Stage.sending(broker, Stage.copyTo("s", seconds), String(seconds))
        yield* Stage.turns
      }
      for (const seconds of [1, 2, 60, 3600, maxDelaySeconds]) {
        const before = consumer.got.length
        yield* at(seconds * 1000 - 1)
        assert.strictEqual(consumer.got.length, before)
        yield* at(seconds * 1000)
        assert.strictEqual(Stage.text(consumer.got.at(-1)), String(seconds))
      }
    })
  )

  it.effect.prop(
    "P7: delays end in the order of their times, equal ones in the order of their sends",
    [Schema.NonEmptyArray(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 9 })))],
    ([waits]) =>
      Effect.gen(function* () {
        const { broker } = yield* Stage.make()
        const consumer = yield* Stage.consume(broker, { prefetch: 0 })
        for (const [index, seconds] of waits.entries()) {
          Stage.sending(broker, Stage.copyTo("s", seconds), `${seconds}.${index}`)
        }
        yield* Stage.turns
        const start = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
        for (const second of Stage.numbers(9)) {
          yield* at(start + second * 1000)
          assert.strictEqual(consumer.got.length, waits.filter((seconds) => seconds <= second).length)
        }
        const sorted = [...waits.entries()].toSorted((a, b) => a[1] - b[1] || a[0] - b[0])
        assert.strictEqual(consumer.ids(), sorted.map(([index, seconds]) => `${seconds}.${index}`).join(" "))
      }),
    { arbitrary: { runs: 40, size: 20 } }
  )

  it.effect("P3: survives the client that sent it, and a cut", () =>
    Effect.gen(function* () {
      const { broker, server } = yield* Stage.make()
      const sender = yield* Stage.client(server)
      yield* Stage.sendAll(sender.broker, Stage.copyTo("s", 2), [1])
      yield* sender.close
      server.disconnect("stored")
      yield* at(2000)
      server.reconnect()
      assert.strictEqual((yield* Stage.consume(broker)).ids(), "1")
    })
  )

  it.effect(
    "P3: a message without a queue after its delay is undeliverable: an event, a copy for a deleted queue",
    () =>
      Effect.gen(function* () {
        const { broker, server } = yield* Stage.make()
        yield* Stage.sendAll(broker, Stage.delayed("nobody", 1), ["event"])
        yield* Stage.sendAll(broker, Stage.copyTo("s", 2), ["copy"])
        server.deleteQueue("s")
        yield* at(2000)
        assert.strictEqual(yield* broker.deadLetterDepth(Stage.undeliverable), 2)
        const reader = yield* broker.readDeadLetters(Stage.undeliverable)
        const [event, copy] = [yield* reader.next, yield* reader.next]
        assert.deepStrictEqual([Stage.text(event), event?.routingKey, event?.trusted], ["event", "nobody", false])
        assert.deepStrictEqual([Stage.text(copy), copy?.routingKey, copy?.trusted], ["copy", "", true])
      })
  )

  it.effect("reaches a subscriber that was added meanwhile", () =>
    Effect.gen(function* () {
      const { broker } = yield* Stage.make()
      yield* Stage.sendAll(broker, Stage.delayed("late.one", 1), [1])
      yield* broker.declare({ name: "late", ordering: "none", patterns: ["late.#"] })
      yield* at(1000)
      assert.strictEqual((yield* Stage.consume(broker, { subscriber: "late" })).ids(), "1")
    })
  )
})

describe("idle", () => {
  const resting = Effect.fnUntraced(function* (wait: Effect.Effect<void>) {
    const fiber = yield* Effect.forkChild(wait, { startImmediately: true })
    yield* Stage.turns
    return () => fiber.pollUnsafe() !== undefined
  })

  it.effect("is when nothing is sent, delayed, ready for a consumer or unsettled", () =>
    Effect.gen(function* () {
      const { broker, server } = yield* Stage.make()
      assert.isTrue((yield* resting(server.idle))())
      const consumer = yield* Stage.consume(broker, { prefetch: 1 })
      for (const n of [1, 2]) Stage.sending(broker, Stage.event("e"), String(n))
      Stage.sending(broker, Stage.copyTo("s", 3), "3")
      assert.deepStrictEqual(server.counts(), { sending: 3, unacked: 0, delayed: 0, ready: 0 })
      const [idle, quiet] = [yield* resting(server.idle), yield* resting(server.quiet)]
      assert.deepStrictEqual(server.counts(), { sending: 0, unacked: 1, delayed: 1, ready: 1 })
      consumer.ack(1)
      yield* Stage.turns
      assert.deepStrictEqual([quiet(), idle()], [false, false])
      consumer.ack(2)
      yield* Stage.turns
      assert.deepStrictEqual([quiet(), idle()], [true, false])
      yield* at(3000)
      assert.isFalse(idle())
      consumer.ack(3)
      yield* Stage.turns
      assert.isTrue(idle())
    })
  )

  it.effect("is also when a delay ended without a queue, and when the consumer of ready messages leaves", () =>
    Effect.gen(function* () {
      const { broker, server } = yield* Stage.make()
      yield* Stage.sendAll(broker, Stage.delayed("nobody", 1), [1])
      const first = yield* resting(server.idle)
      yield* at(1000)
      assert.isTrue(first())
      const consumer = yield* Stage.consume(broker)
      yield* Stage.sendAll(broker, Stage.event("e"), [1, 2])
      const second = yield* resting(server.idle)
      yield* consumer.close
      assert.isTrue(second())
      const again = yield* Stage.consume(broker)
      const third = yield* resting(server.idle)
      assert.strictEqual(again.got.length, 2)
      server.deleteQueue("s")
      yield* Stage.turns
      assert.isTrue(third())
    })
  )

  it.effect("forgets a waiter that was interrupted", () =>
    Effect.gen(function* () {
      const { broker, server } = yield* Stage.make()
      const consumer = yield* Stage.consume(broker)
      yield* Stage.sendAll(broker, Stage.event("e"), [1])
      const fiber = yield* Effect.forkChild(server.idle, { startImmediately: true })
      yield* Fiber.interrupt(fiber)
      consumer.ack(1)
      yield* Stage.turns
      assert.isTrue((yield* resting(server.idle))())
    })
  )
})
