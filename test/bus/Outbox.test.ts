/** From a shipment to its outcome over a broker that refuses, is silent or away (P2, P12, P13). */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import * as Stage from "./OutboxStage.ts"
import * as Scripted from "./ScriptedBroker.ts"

describe("Outbox", () => {
  it.effect("sends at once and tells the outcome once", () =>
    Effect.gen(function* () {
      const { answer, door, results, scripted, submit } = yield* Stage.make()
      submit("a")
      submit("b")
      submit("c", { mandatory: true })
      assert.deepStrictEqual(scripted.ids(), ["a", "b", "c"])
      assert.strictEqual(door.inFlight(), 3)
      answer(1, Scripted.confirmed)
      answer(0, Scripted.unrouted)
      answer(2, Scripted.unrouted)
      assert.deepStrictEqual(results, ["b Confirmed", "a Unrouted", "c Unroutable"])
      assert.deepStrictEqual([door.inFlight(), door.bytes()], [0, 0])
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(results.length, 3)
    })
  )

  it.effect("P2: a nack is tried again until the deadline, then Rejected", () =>
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
      assert.strictEqual(scripted.sent.length, sent, "it was sent after its publisher had been told")
    })
  )

  it.effect("tries again at growing intervals, not in a tight loop", () =>
    Effect.gen(function* () {
      const { scripted, submit } = yield* Stage.make()
      scripted.script = () => Scripted.rejected
      submit("a", { deadline: 60_000 })
      yield* TestClock.adjust("60 seconds")
      assert.isAtLeast(scripted.sent.length, 10)
      assert.isAtMost(scripted.sent.length, 40)
    })
  )

  it.effect("P2: before anything is sent it is Unavailable, with what keeps the broker away", () =>
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

  it.effect("P2: NotSent waits for Up and is not polled meanwhile", () =>
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

  it.effect("P2: what the wire cannot carry is Invalid at once", () =>
    Effect.gen(function* () {
      const { door, results, scripted, submit } = yield* Stage.make()
      scripted.script = () => Scripted.refused
      submit("a")
      assert.deepStrictEqual(results, ["a Invalid"])
      assert.deepStrictEqual([scripted.sent.length, door.inFlight()], [1, 0])
    })
  )

  it.effect("P2: an answer that never comes is Unknown; the place is held until the broker answers", () =>
    Effect.gen(function* () {
      const { answer, door, outbox, results, submit } = yield* Stage.make()
      submit("a", { deadline: 5_000 })
      yield* TestClock.adjust("5100 millis")
      assert.deepStrictEqual(results, ["a Unknown"])
      assert.strictEqual(door.inFlight(), 1)
      const flushing = yield* Effect.forkChild(outbox.flushed, { startImmediately: true })
      yield* TestClock.adjust("1 minute")
      assert.isUndefined(flushing.pollUnsafe())
      answer(0, Scripted.confirmed)
      yield* Fiber.join(flushing)
      assert.deepStrictEqual([results, door.inFlight()], [["a Unknown"], 0])
    })
  )

  for (const [name, outcome] of [
    ["a nack", Scripted.rejected],
    ["no channel", Scripted.notSent],
    ["what the wire refuses", Scripted.refused],
    ["nobody bound to it", Scripted.unrouted]
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

  it.effect("P13: beyond the bound they wait in order, and are Overloaded at their deadline", () =>
    Effect.gen(function* () {
      const { answer, door, results, scripted, submit } = yield* Stage.make({ bounds: { count: 2, bytes: 10_000 } })
      for (const id of ["a", "b", "c", "d"]) submit(id, { deadline: id === "c" ? 2_000 : 60_000 })
      assert.deepStrictEqual(scripted.ids(), ["a", "b"])
      assert.strictEqual(door.waiting(), 2)
      yield* TestClock.adjust("2100 millis")
      assert.deepStrictEqual(results, ["c Overloaded"])
      answer(0, Scripted.confirmed)
      assert.deepStrictEqual(scripted.ids(), ["a", "b", "d"])
      assert.strictEqual(door.inFlight(), 2)
    })
  )

  it.effect("P2: a broker that blocks is Overloaded, and what waits goes when it unblocks", () =>
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

  it.effect("P2: withdrawn before the send, nothing is sent", () =>
    Effect.gen(function* () {
      const { answer, door, outbox, results, scripted, submit } = yield* Stage.make({
        bounds: { count: 1, bytes: 10_000 }
      })
      submit("a", { key: "k" })
      submit("b", { key: "k" })()
      answer(0, Scripted.notSent)
      yield* scripted.become(Scripted.connecting)
      const withdrawStalled = submit("c", { key: "k" })
      withdrawStalled()
      scripted.script = () => Scripted.confirmed
      yield* scripted.become(Scripted.up)
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(scripted.ids(), ["a", "a"])
      assert.deepStrictEqual(results, ["a Confirmed"])
      assert.deepStrictEqual([door.inFlight(), door.bytes(), door.waiting()], [0, 0, 0])
      yield* outbox.flushed
    })
  )

  it.effect(
    "P2: withdrawn while the answer is open, nothing more is sent when it turns out not to have been sent",
    () =>
      Effect.gen(function* () {
        const { answer, door, scripted, submit } = yield* Stage.make()
        const withdraw = submit("a")
        withdraw()
        answer(0, Scripted.notSent)
        scripted.script = () => Scripted.confirmed
        yield* TestClock.adjust("10 seconds")
        assert.deepStrictEqual(scripted.ids(), ["a"])
        assert.strictEqual(door.inFlight(), 0)
      })
  )

  it.effect("P2: withdrawn after the send, the confirm is still awaited inside of the bound", () =>
    Effect.gen(function* () {
      const { answer, door, results, submit } = yield* Stage.make()
      submit("a")()
      assert.strictEqual(door.inFlight(), 1)
      answer(0, Scripted.confirmed)
      assert.deepStrictEqual([door.inFlight(), results], [0, ["a Confirmed"]])
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

  it.effect("P12: while it drains handlers still publish", () =>
    Effect.gen(function* () {
      const { door, scripted, submit } = yield* Stage.make()
      door.setPhase("handlers only")
      submit("caller")
      submit("handler", { privileged: true })
      assert.deepStrictEqual(scripted.ids(), ["handler"])
    })
  )
})
