/** Many events in one call: order, pipelining, and where it stops. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Schema, Stream } from "effect"
import * as Event from "../../../src/event/Event.ts"
import type * as PublishAll from "../../../src/bus/publish/PublishAll.ts"
import * as Stage from "./PublisherStage.ts"
import * as Scripted from "../ScriptedBroker.ts"

const Posted = Event.make("grade.posted", {
  version: 1,
  data: Schema.Struct({ student: Schema.String, grade: Schema.Finite }),
  key: (data) => data.student
})
describe("publishAll", () => {
  const grades = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, i) => ({ student: "s-1", grade: from + i }))
  const sentGrades = (stage: { readonly scripted: Scripted.ScriptedBroker }) =>
    stage.scripted.sent.map(
      ({ message }) => (JSON.parse(message.body.toString()) as { readonly data: { readonly grade: number } }).data.grade
    )

  it.effect("sends all of a list or a Stream in order and returns their number", () =>
    Effect.gen(function* () {
      const stage = yield* Stage.make()
      assert.strictEqual(yield* stage.publishAll(Posted, grades(0, 2_000)), 2_000)
      assert.strictEqual(yield* stage.publishAll(Posted, Stream.fromIterable(grades(2_000, 3_000))), 1_000)
      assert.strictEqual(yield* stage.publishAll(Posted, []), 0)
      assert.deepStrictEqual(
        sentGrades(stage),
        grades(0, 3_000).map(({ grade }) => grade)
      )
    })
  )

  it.effect("stops at the first failure and reports from where on nothing was sent", () =>
    Effect.gen(function* () {
      const stage = yield* Stage.make()
      const items = [...grades(0, 3), { student: "", grade: 3 }, ...grades(4, 10)]
      const error = yield* Effect.flip(stage.publishAll(Posted, items))
      assert.strictEqual(error.confirmed, 3)
      assert.strictEqual(error.next, 4)
      assert.deepStrictEqual(
        error.failures.map(({ error, index }) => [index, error.reason._tag]),
        [[3, "Invalid"]]
      )
      assert.deepStrictEqual(sentGrades(stage), [0, 1, 2])
    })
  )

  it.effect("what was in flight when one failed is awaited and counted", () =>
    Effect.gen(function* () {
      const stage = yield* Stage.make()
      stage.scripted.script = undefined
      const fiber = yield* Effect.forkChild(
        Effect.flip(stage.publishAll(Posted, [...grades(0, 3), { student: "", grade: 3 }])),
        { startImmediately: true }
      )
      assert.isUndefined(fiber.pollUnsafe())
      for (const sent of stage.scripted.sent) sent.answer(Scripted.confirmed)
      const error = yield* Fiber.join(fiber)
      assert.deepStrictEqual([error.confirmed, error.next], [3, 4])
    })
  )

  it.effect("has a bounded number in flight", () =>
    Effect.gen(function* () {
      const stage = yield* Stage.make()
      stage.scripted.script = undefined
      const fiber = yield* Effect.forkChild(stage.publishAll(Posted, grades(0, 5_000)), { startImmediately: true })
      assert.isAtMost(stage.scripted.sent.length, 1_000)
      stage.scripted.script = () => Scripted.confirmed
      for (const sent of stage.scripted.sent.slice()) sent.answer(Scripted.confirmed)
      assert.strictEqual(yield* Fiber.join(fiber), 5_000)
    })
  )

  const broken = new Error("the cursor was closed")
  function* cursor(rows: number, error: unknown = broken) {
    yield* grades(0, rows)
    throw error
  }
  async function* asyncCursor(rows: number) {
    yield* cursor(rows)
  }
  const sources: ReadonlyArray<readonly [string, () => PublishAll.Items<{ student: string; grade: number }>]> = [
    ["an iterable that throws", () => cursor(3_000)],
    ["an async iterable that throws", () => asyncCursor(3_000)],
    ["a Stream that fails", () => Stream.concat(Stream.fromIterable(grades(0, 3_000)), Stream.fail(broken))],
    ["a Stream that dies", () => Stream.concat(Stream.fromIterable(grades(0, 3_000)), Stream.die(broken))]
  ]
  for (const [name, source] of sources) {
    it.effect(`${name}: the events before are sent, and the error counts them and has the cause`, () =>
      Effect.gen(function* () {
        const stage = yield* Stage.make()
        const error = yield* Effect.flip(stage.publishAll(Posted, source()))
        assert.deepStrictEqual([error.confirmed, error.next, error.failures], [3_000, 3_000, []])
        assert.strictEqual(error.cause, broken)
        assert.include(error.message, "3000 events were confirmed")
        assert.include(error.message, "the cursor was closed: publish the rest from that position on")
        assert.lengthOf(stage.scripted.sent, 3_000)
      })
    )
  }

  it.effect("a source that fails while events are in flight: their outcomes are awaited and counted", () =>
    Effect.gen(function* () {
      const stage = yield* Stage.make()
      stage.scripted.script = undefined
      const fiber = yield* Effect.forkChild(Effect.flip(stage.publishAll(Posted, cursor(3))), {
        startImmediately: true
      })
      assert.isUndefined(fiber.pollUnsafe())
      for (const sent of stage.scripted.sent) sent.answer(Scripted.confirmed)
      const error = yield* Fiber.join(fiber)
      assert.deepStrictEqual([error.confirmed, error.next, error.cause], [3, 3, broken])
    })
  )

  it.effect("a source without an error, and one that is no source: an error all the same", () =>
    Effect.gen(function* () {
      const stage = yield* Stage.make()
      const silent = yield* Effect.flip(stage.publishAll(Posted, cursor(1, undefined)))
      assert.instanceOf(silent.cause, Error)
      // A caller without types.
      const none = yield* Effect.flip(stage.publishAll(Posted, 3 as never))
      assert.deepStrictEqual([none.confirmed, none.next], [0, 0])
      assert.include(none.message, "`items` is not an iterable, an async iterable or a Stream")
    })
  )

  it.effect("leaves an iterable that it stops to take from, so that it can close what it reads", () =>
    Effect.gen(function* () {
      const stage = yield* Stage.make()
      let closed = false
      function* file() {
        try {
          yield { student: "", grade: 0 }
          yield* grades(1, 3)
        } finally {
          closed = true
        }
      }
      const error = yield* Effect.flip(stage.publishAll(Posted, file()))
      assert.deepStrictEqual([error.next, error.failures.length, error.cause], [1, 1, undefined])
      assert.isTrue(closed)
    })
  )

  it.effect("refuses an `id`, which all of its events would share", () =>
    Effect.gen(function* () {
      const stage = yield* Stage.make()
      const options: object = { id: "i-1" }
      const error = yield* Effect.flip(stage.publishAll(Posted, grades(0, 2), options))
      assert.include(error.message, "id of its own")
      assert.lengthOf(stage.scripted.sent, 0)
    })
  )
})
