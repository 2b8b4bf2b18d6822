/** The outcome of a shipment when the broker rejects, is silent or away (P2, P12, P13). */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import * as Stage from "./OutboxStage.ts"
import * as Scripted from "../ScriptedBroker.ts"

describe("Outbox", () => {
  it.effect("sends at once and reports the outcome once", () =>
    Effect.gen(function* () {
      const { answer, limit, results, scripted, submit } = yield* Stage.make()
      submit("a")
      submit("b")
      submit("c", { mandatory: true })
      assert.deepStrictEqual(scripted.ids(), ["a", "b", "c"])
      assert.strictEqual(limit.inFlight(), 3)
      answer(1, Scripted.confirmed)
      answer(0, Scripted.unrouted)
      answer(2, Scripted.unrouted)
      assert.deepStrictEqual(results, ["b Confirmed", "a Unrouted", "c Unroutable"])
      assert.deepStrictEqual([limit.inFlight(), limit.bytes()], [0, 0])
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(results.length, 3)
    })
  )

  it.effect("P2: a rejected message is sent again until the deadline, then it is Rejected", () =>
    Effect.gen(function* () {
      const { results, scripted, submit } = yield* Stage.make()
      scripted.script = (_, call) => (call < 3 ? Scripted.rejected : Scripted.confirmed)
      submit("a")
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(results, ["a Confirmed"])
      assert.deepStrictEqual(scripted.ids(), ["a", "a", "a"])
      scripted.script = () => Scripted.rejected
      submit("b", { deadline: 10_000 })
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(results, ["a Confirmed", "b Rejected"])
      const sent = scripted.sent.length
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(scripted.sent.length, sent, "it was sent after its publisher had the outcome")
    })
  )

  it.effect("sends again at growing intervals, not in a tight loop", () =>
    Effect.gen(function* () {
      const { scripted, submit } = yield* Stage.make()
      scripted.script = () => Scripted.rejected
      submit("a", { deadline: 60_000 })
      yield* TestClock.adjust("60 seconds")
      assert.isAtLeast(scripted.sent.length, 10)
      assert.isAtMost(scripted.sent.length, 40)
    })
  )

  it.effect("P2: without a broker it is Unavailable at its deadline, with the reason of the outage", () =>
    Effect.gen(function* () {
      const { results, scripted, submit } = yield* Stage.make({ status: Scripted.connecting })
      submit("a", { deadline: 3_000 })
      yield* TestClock.adjust("2900 millis")
      assert.deepStrictEqual(results, [])
      yield* TestClock.adjust("200 millis")
      assert.deepStrictEqual(results, ["a Unavailable(Connection)"])
      assert.deepStrictEqual(scripted.ids(), [])
    })
  )

  it.effect("P2: what waits while the broker is away is sent when it is back", () =>
    Effect.gen(function* () {
      const { results, scripted, submit } = yield* Stage.make({ status: Scripted.connecting })
      for (const id of ["a", "b", "c"]) submit(id, { key: "k" })
      yield* TestClock.adjust("5 seconds")
      scripted.script = () => Scripted.confirmed
      yield* scripted.become(Scripted.up)
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(results, ["a Confirmed", "b Confirmed", "c Confirmed"])
    })
  )

  it.effect("P2: a message that was not sent waits for the broker to be up and is not sent meanwhile", () =>
    Effect.gen(function* () {
      const { answer, results, scripted, submit } = yield* Stage.make()
      submit("a", { deadline: 60_000 })
      yield* scripted.become(Scripted.connecting)
      answer(0, Scripted.notSent)
      yield* TestClock.adjust("30 seconds")
      assert.deepStrictEqual(scripted.ids(), ["a"])
      scripted.script = () => Scripted.confirmed
      yield* scripted.become(Scripted.up)
      yield* TestClock.adjust("6 seconds")
      assert.deepStrictEqual(results, ["a Confirmed"])
      assert.deepStrictEqual(scripted.ids(), ["a", "a"])
    })
  )

  it.effect("P2: a message that the wire cannot carry is Invalid at once", () =>
    Effect.gen(function* () {
      const { limit, results, scripted, submit } = yield* Stage.make()
      scripted.script = () => Scripted.refused
      submit("a")
      assert.deepStrictEqual(results, ["a Invalid"])
      assert.deepStrictEqual([scripted.sent.length, limit.inFlight()], [1, 0])
    })
  )

  it.effect("P2: without an answer it is Unknown; its room is held until the broker answers", () =>
    Effect.gen(function* () {
      const { answer, limit, outbox, results, submit } = yield* Stage.make()
      submit("a", { deadline: 5_000 })
      yield* TestClock.adjust("5100 millis")
      assert.deepStrictEqual(results, ["a Unknown"])
      assert.strictEqual(limit.inFlight(), 1)
      const flushing = yield* Effect.forkChild(outbox.flushed, { startImmediately: true })
      yield* TestClock.adjust("1 minute")
      assert.isUndefined(flushing.pollUnsafe())
      answer(0, Scripted.confirmed)
      yield* Fiber.join(flushing)
      assert.deepStrictEqual([results, limit.inFlight()], [["a Unknown"], 0])
    })
  )

  for (const [name, outcome] of [
    ["a nack", Scripted.rejected],
    ["no channel", Scripted.notSent],
    ["what the wire refuses", Scripted.refused],
    ["no bound subscriber", Scripted.unrouted]
  ] as const) {
    it.effect(`P2: once an answer was lost, ${name} is Unknown`, () =>
      Effect.gen(function* () {
        const { answer, results, scripted, submit } = yield* Stage.make()
        submit("a", { deadline: 10_000, mandatory: true })
        answer(0, Scripted.lost)
        scripted.script = () => outcome
        yield* TestClock.adjust("11 seconds")
        assert.deepStrictEqual(results, ["a Unknown"])
        assert.isAtLeast(scripted.sent.length, 2)
      })
    )
  }

  it.effect("P2: once an answer was lost, a broker that blocks or is away makes it Unknown too", () =>
    Effect.gen(function* () {
      for (const status of [Scripted.blocked, Scripted.connecting, Scripted.closed]) {
        const { answer, results, scripted, submit } = yield* Stage.make()
        const now = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
        submit("a", { deadline: now + 5_000 })
        yield* scripted.become(status)
        answer(0, Scripted.lost)
        yield* TestClock.adjust("20 seconds")
        assert.deepStrictEqual(results, ["a Unknown"], status._tag)
      }
    })
  )

  it.effect("P2: once an answer was lost it may still be confirmed", () =>
    Effect.gen(function* () {
      const { answer, results, scripted, submit } = yield* Stage.make()
      submit("a")
      answer(0, Scripted.lost)
      scripted.script = () => Scripted.confirmed
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(results, ["a Confirmed"])
    })
  )

  it.effect("P13: beyond the limit messages wait in order, and are Overloaded at their deadline", () =>
    Effect.gen(function* () {
      const { answer, limit, results, scripted, submit } = yield* Stage.make({ bounds: { count: 2, bytes: 10_000 } })
      for (const id of ["a", "b", "c", "d"]) submit(id, { deadline: id === "c" ? 2_000 : 60_000 })
      assert.deepStrictEqual(scripted.ids(), ["a", "b"])
      assert.strictEqual(limit.waiting(), 2)
      yield* TestClock.adjust("2100 millis")
      assert.deepStrictEqual(results, ["c Overloaded"])
      answer(0, Scripted.confirmed)
      assert.deepStrictEqual(scripted.ids(), ["a", "b", "d"])
      assert.strictEqual(limit.inFlight(), 2)
    })
  )

  it.effect(
    "P2: while the broker blocks publishers a message is Overloaded at its deadline; what still waits is sent afterwards",
    () =>
      Effect.gen(function* () {
        const { results, scripted, submit } = yield* Stage.make()
        yield* scripted.become(Scripted.blocked)
        yield* TestClock.adjust(0)
        submit("a", { deadline: 1_000 })
        submit("b", { deadline: 10_000 })
        yield* TestClock.adjust("1100 millis")
        assert.deepStrictEqual([results, scripted.ids()], [["a Overloaded"], []])
        scripted.script = () => Scripted.confirmed
        yield* scripted.become(Scripted.up)
        yield* TestClock.adjust(0)
        assert.deepStrictEqual(results, ["a Overloaded", "b Confirmed"])
      })
  )

  it.effect("P2: a shipment that is withdrawn before the send is never sent", () =>
    Effect.gen(function* () {
      const { answer, limit, outbox, results, scripted, submit } = yield* Stage.make({
        bounds: { count: 1, bytes: 10_000 }
      })
      submit("a", { key: "k" })
      submit("b", { key: "k" }).withdraw()
      answer(0, Scripted.notSent)
      yield* scripted.become(Scripted.connecting)
      submit("c", { key: "k" }).withdraw()
      scripted.script = () => Scripted.confirmed
      yield* scripted.become(Scripted.up)
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(scripted.ids(), ["a", "a"])
      assert.deepStrictEqual(results, ["a Confirmed"])
      assert.deepStrictEqual([limit.inFlight(), limit.bytes(), limit.waiting()], [0, 0, 0])
      yield* outbox.flushed
    })
  )

  it.effect("P2: a shipment that is withdrawn while its answer is open is not sent again", () =>
    Effect.gen(function* () {
      const { answer, limit, scripted, submit } = yield* Stage.make()
      submit("a").withdraw()
      answer(0, Scripted.notSent)
      scripted.script = () => Scripted.confirmed
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(scripted.ids(), ["a"])
      assert.strictEqual(limit.inFlight(), 0)
    })
  )

  it.effect("P2: the confirm of a shipment that is withdrawn after the send is still awaited within the limit", () =>
    Effect.gen(function* () {
      const { answer, limit, results, submit } = yield* Stage.make()
      submit("a").withdraw()
      assert.strictEqual(limit.inFlight(), 1)
      answer(0, Scripted.confirmed)
      assert.deepStrictEqual([limit.inFlight(), results], [0, ["a Confirmed"]])
    })
  )

  it.effect("P12: shut fails what waits and awaits what is in flight", () =>
    Effect.gen(function* () {
      const { answer, outbox, results, submit } = yield* Stage.make({ bounds: { count: 1, bytes: 10_000 } })
      submit("a")
      submit("b")
      outbox.shut()
      submit("c")
      assert.deepStrictEqual(results, ["b Unavailable(Closed)", "c Unavailable(Closed)"])
      const flushing = yield* Effect.forkChild(outbox.flushed, { startImmediately: true })
      assert.isUndefined(flushing.pollUnsafe())
      answer(0, Scripted.confirmed)
      yield* Fiber.join(flushing)
      assert.strictEqual(results.at(-1), "a Confirmed")
    })
  )

  it.effect("P12: during a drain handlers still publish", () =>
    Effect.gen(function* () {
      const { limit, scripted, submit } = yield* Stage.make()
      limit.setPhase("handlers-only")
      submit("caller")
      submit("handler", { privileged: true })
      assert.deepStrictEqual(scripted.ids(), ["handler"])
    })
  )
})
