/** From a shipment to its outcome over a broker that loses, refuses and is away (P2, P6, P13). */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import type { Outgoing } from "../../src/bus/Broker.ts"
import * as Door from "../../src/bus/Door.ts"
import * as Outbox from "../../src/bus/Outbox.ts"
import * as Scripted from "./ScriptedBroker.ts"

const message = (id: string, key?: string): Outgoing => ({
  to: { _tag: "Event", name: "a.b" },
  key,
  body: Buffer.from("{}"),
  properties: { messageId: id, type: "a.b", timestamp: 0, appId: "test", contentType: "application/json" },
  headers: {}
})

interface Options {
  readonly key?: string
  readonly deadline?: number
  readonly mandatory?: boolean
  readonly privileged?: boolean
}

const setUp = Effect.fnUntraced(function*(
  { bounds = { count: 100, bytes: 10_000 }, status = Scripted.up }: {
    readonly bounds?: Door.Bounds
    readonly status?: Parameters<typeof Scripted.make>[0]
  } = {}
) {
  const scripted = yield* Scripted.make(status)
  const door = Door.make(bounds)
  const outbox = yield* Outbox.make(scripted.broker, door, () => {})
  // The outbox learns the status in a fiber of its own.
  yield* TestClock.adjust(0)
  const results: Array<string> = []
  const submit = (id: string, { deadline = 15_000, key, mandatory = false, privileged = false }: Options = {}) =>
    outbox.submit({
      message: message(id, key),
      bytes: 2,
      mandatory,
      deadline,
      privileged,
      done: (result) => {
        const tag = result._tag === "Confirmed" ? (result.routed ? "Confirmed" : "Unrouted") : result.reason._tag
        const cause = result._tag === "Failed" && result.reason._tag === "Unavailable" ? `(${result.reason.cause._tag})` : ""
        results.push(`${id} ${tag}${cause}`)
      }
    })
  const answer = (index: number, outcome: Parameters<Scripted.Sent["answer"]>[0]): void => {
    const sent = scripted.sent[index]
    assert(sent !== undefined, `nothing was sent as number ${index}`)
    sent.answer(outcome)
  }
  return { scripted, door, outbox, results, submit, answer }
})

describe("Outbox", () => {
  it.effect("sends at once and tells the outcome once", () => Effect.gen(function*() {
    const { answer, door, results, scripted, submit } = yield* setUp()
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
  }))

  it.effect("P6: what was lost goes again in its order, before anything newer of its key", () => Effect.gen(function*() {
    const { answer, outbox, results, scripted, submit } = yield* setUp()
    for (const id of ["k1", "k2", "k3"]) submit(id, { key: "k" })
    // The answers to one channel's sends come in any order when it breaks.
    answer(2, Scripted.lost)
    answer(0, Scripted.lost)
    answer(1, Scripted.lost)
    submit("k4", { key: "k" })
    submit("other", { key: "o" })
    assert.deepStrictEqual(scripted.ids().slice(3), ["other"])
    yield* TestClock.adjust("1 second")
    assert.deepStrictEqual(scripted.ids().slice(4), ["k1", "k2", "k3", "k4"])
    for (const index of [4, 5, 6, 7]) answer(index, Scripted.confirmed)
    assert.deepStrictEqual(results, ["k1 Confirmed", "k2 Confirmed", "k3 Confirmed", "k4 Confirmed"])
    assert.isAtLeast(outbox.resent(), 3)
  }))

  it.effect("P6: also when the way is lost again in the middle of sending again", () => Effect.gen(function*() {
    const { answer, scripted, submit } = yield* setUp()
    for (const id of ["k1", "k2", "k3"]) submit(id, { key: "k" })
    for (const index of [0, 1, 2]) answer(index, Scripted.lost)
    let open = false
    // The first one fails within the call, as a channel that is not there does; the others would pass.
    scripted.script = (sent) => (sent.properties.messageId === "k1" && !open ? Scripted.notSent : Scripted.confirmed)
    yield* TestClock.adjust("1 second")
    open = true
    yield* TestClock.adjust("10 seconds")
    const accepted = scripted.sent.filter((_, i) => i >= 3).map(({ message }) => message.properties.messageId)
    assert.isAtLeast(accepted.length, 4)
    // What counts is what was stored: the last time each was sent.
    const stored = [...new Set(accepted.toReversed())].toReversed()
    assert.deepStrictEqual(stored, ["k1", "k2", "k3"])
    assert.isBelow(accepted.lastIndexOf("k1"), accepted.indexOf("k2"), "k2 was stored before k1")
  }))

  it.effect("without a key nothing waits for anything else", () => Effect.gen(function*() {
    const { answer, scripted, submit } = yield* setUp()
    submit("a")
    answer(0, Scripted.lost)
    submit("b")
    assert.deepStrictEqual(scripted.ids(), ["a", "b"])
  }))

  it.effect("P2: a nack is tried again until the deadline, then Rejected", () => Effect.gen(function*() {
    const { results, scripted, submit } = yield* setUp()
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
  }))

  it.effect("tries again at growing intervals, not in a tight loop", () => Effect.gen(function*() {
    const { scripted, submit } = yield* setUp()
    scripted.script = () => Scripted.rejected
    submit("a", { deadline: 60_000 })
    yield* TestClock.adjust("60 seconds")
    assert.isAtLeast(scripted.sent.length, 10)
    assert.isAtMost(scripted.sent.length, 40)
  }))

  it.effect("P2: before anything is sent it is Unavailable, with what keeps the broker away", () => Effect.gen(function*() {
    const { results, scripted, submit } = yield* setUp({ status: Scripted.connecting })
    submit("a", { deadline: 3_000 })
    yield* TestClock.adjust("2900 millis")
    assert.deepStrictEqual(results, [])
    yield* TestClock.adjust("200 millis")
    assert.deepStrictEqual(results, ["a Unavailable(Connection)"])
    assert.deepStrictEqual(scripted.ids(), [])
  }))

  it.effect("P2: what waits while the broker is away is sent when it is back", () => Effect.gen(function*() {
    const { results, scripted, submit } = yield* setUp({ status: Scripted.connecting })
    for (const id of ["a", "b", "c"]) submit(id, { key: "k" })
    yield* TestClock.adjust("5 seconds")
    scripted.script = () => Scripted.confirmed
    yield* scripted.become(Scripted.up)
    yield* TestClock.adjust(0)
    assert.deepStrictEqual(results, ["a Confirmed", "b Confirmed", "c Confirmed"])
  }))

  it.effect("P2: NotSent waits for Up and is not polled meanwhile", () => Effect.gen(function*() {
    const { answer, results, scripted, submit } = yield* setUp()
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
  }))

  it.effect("P2: what the wire cannot carry is Invalid at once", () => Effect.gen(function*() {
    const { door, results, scripted, submit } = yield* setUp()
    scripted.script = () => Scripted.refused
    submit("a")
    assert.deepStrictEqual(results, ["a Invalid"])
    assert.deepStrictEqual([scripted.sent.length, door.inFlight()], [1, 0])
  }))

  it.effect("P2: an answer that never comes is Unknown; the place is held until the broker answers", () => Effect.gen(function*() {
    const { answer, door, outbox, results, submit } = yield* setUp()
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
  }))

  for (const [name, outcome] of [
    ["a nack", Scripted.rejected],
    ["no channel", Scripted.notSent],
    ["what the wire refuses", Scripted.refused],
    ["nobody bound to it", Scripted.unrouted]
  ] as const) {
    it.effect(`P2: once an answer was lost, ${name} is Unknown`, () => Effect.gen(function*() {
      const { answer, results, scripted, submit } = yield* setUp()
      submit("a", { deadline: 10_000, mandatory: true })
      answer(0, Scripted.lost)
      scripted.script = () => outcome
      yield* TestClock.adjust("11 seconds")
      assert.deepStrictEqual(results, ["a Unknown"])
      assert.isAtLeast(scripted.sent.length, 2)
    }))
  }

  it.effect("P2: once an answer was lost, a broker that blocks or is away makes it Unknown too", () => Effect.gen(function*() {
    for (const status of [Scripted.blocked, Scripted.connecting, Scripted.closed]) {
      const { answer, results, scripted, submit } = yield* setUp()
      const now = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
      submit("a", { deadline: now + 5_000 })
      yield* scripted.become(status)
      answer(0, Scripted.lost)
      yield* TestClock.adjust("20 seconds")
      assert.deepStrictEqual(results, ["a Unknown"], status._tag)
    }
  }))

  it.effect("P2: once an answer was lost it may still be confirmed", () => Effect.gen(function*() {
    const { answer, results, scripted, submit } = yield* setUp()
    submit("a")
    answer(0, Scripted.lost)
    scripted.script = () => Scripted.confirmed
    yield* TestClock.adjust("1 second")
    assert.deepStrictEqual(results, ["a Confirmed"])
  }))

  it.effect("P13: beyond the bound they wait in order, and are Overloaded at their deadline", () => Effect.gen(function*() {
    const { answer, door, results, scripted, submit } = yield* setUp({ bounds: { count: 2, bytes: 10_000 } })
    for (const id of ["a", "b", "c", "d"]) submit(id, { deadline: id === "c" ? 2_000 : 60_000 })
    assert.deepStrictEqual(scripted.ids(), ["a", "b"])
    assert.strictEqual(door.waiting(), 2)
    yield* TestClock.adjust("2100 millis")
    assert.deepStrictEqual(results, ["c Overloaded"])
    answer(0, Scripted.confirmed)
    assert.deepStrictEqual(scripted.ids(), ["a", "b", "d"])
    assert.strictEqual(door.inFlight(), 2)
  }))

  it.effect("P2: a broker that blocks is Overloaded, and what waits goes when it unblocks", () => Effect.gen(function*() {
    const { results, scripted, submit } = yield* setUp()
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
  }))

  it.effect("P2: withdrawn before the send, nothing is sent", () => Effect.gen(function*() {
    const { answer, door, outbox, results, scripted, submit } = yield* setUp({ bounds: { count: 1, bytes: 10_000 } })
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
  }))

  it.effect("P2: withdrawn while the answer is open, nothing more is sent when it turns out not to have been sent", () => Effect.gen(function*() {
    const { answer, door, scripted, submit } = yield* setUp()
    const withdraw = submit("a")
    withdraw()
    answer(0, Scripted.notSent)
    scripted.script = () => Scripted.confirmed
    yield* TestClock.adjust("10 seconds")
    assert.deepStrictEqual(scripted.ids(), ["a"])
    assert.strictEqual(door.inFlight(), 0)
  }))

  it.effect("P2: withdrawn after the send, the confirm is still awaited inside of the bound", () => Effect.gen(function*() {
    const { answer, door, results, submit } = yield* setUp()
    submit("a")()
    assert.strictEqual(door.inFlight(), 1)
    answer(0, Scripted.confirmed)
    assert.deepStrictEqual([door.inFlight(), results], [0, ["a Confirmed"]])
  }))

  it.effect("P12: shut fails what waits and awaits what is in flight", () => Effect.gen(function*() {
    const { answer, outbox, results, submit } = yield* setUp({ bounds: { count: 1, bytes: 10_000 } })
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
  }))

  it.effect("P12: while it drains handlers still publish", () => Effect.gen(function*() {
    const { door, scripted, submit } = yield* setUp()
    door.setPhase("handlers only")
    submit("caller")
    submit("handler", { privileged: true })
    assert.deepStrictEqual(scripted.ids(), ["handler"])
  }))

  it.effect("a thousand losses of a thousand messages: each has one outcome, in the order of its key", () => Effect.gen(function*() {
    const { results, scripted, submit } = yield* setUp({ bounds: { count: 50, bytes: 10_000 } })
    let seed = 7
    const random = (): number => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647
    const stored = new Map<string, Array<string>>()
    let epochEnds = 0
    scripted.script = ({ key = "", properties }, call) => {
      // A channel breaks: what is sent until then is lost, stored or not.
      if (epochEnds === 0 && random() < 0.02) epochEnds = 5
      if (epochEnds > 0) {
        epochEnds--
        return call % 2 === 0 ? Scripted.lost : Scripted.notSent
      }
      stored.set(key, [...(stored.get(key) ?? []), properties.messageId])
      return Scripted.confirmed
    }
    for (let n = 0; n < 1_000; n++) submit(`m${n}`, { key: `k${n % 7}`, deadline: Number.POSITIVE_INFINITY })
    for (let round = 0; round < 300 && results.length < 1_000; round++) yield* TestClock.adjust("1 second")
    assert.deepStrictEqual(results.filter((result) => !result.endsWith("Confirmed")), [])
    assert.strictEqual(new Set(results).size, 1_000)
    for (const [key, ids] of stored) {
      const numbers = ids.map((id) => Number(id.slice(1)))
      assert.deepStrictEqual(numbers, numbers.toSorted((a, b) => a - b), key)
    }
  }))
})
