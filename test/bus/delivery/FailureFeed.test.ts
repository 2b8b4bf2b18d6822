/** The stream of failures in this process, and the announcements of dead letters to other processes. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { TestClock } from "effect/testing"
import type { Diagnosis } from "../../../src/bus/send/Diagnosis.ts"
import type { Announcement } from "../../../src/bus/delivery/EventDeadLettered.ts"
import * as FailureFeed from "../../../src/bus/delivery/FailureFeed.ts"

const diagnosis = (subscriber: string, id: string, eventType = "a.b"): Diagnosis => ({
  subscriber,
  reason: "Exhausted",
  error: { tag: "Boom", message: "boom" },
  attempts: 3,
  firstFailure: 1,
  lastFailure: 2,
  failures: [],
  eventId: id,
  eventType,
  host: "host:1",
  library: "test",
  replays: 0
})

const setUp = Effect.gen(function* () {
  const announced: Array<Announcement> = []
  let dropped = 0
  const failures = yield* FailureFeed.make(
    (data) => Effect.sync(() => void announced.push(data)),
    (count) => void (dropped += count)
  )
  return { failures, announced, dropped: () => dropped }
})

describe("FailureFeed", () => {
  it.effect("N22: announces ten dead letters a second of each subscriber, then their count", () =>
    Effect.gen(function* () {
      const { announced, failures } = yield* setUp
      for (let n = 0; n < 25; n++) failures.deadLettered(diagnosis("a", `a-${n}`), true)
      failures.deadLettered(diagnosis("b", "b-0"), true)
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(
        announced.map(({ eventId }) => eventId),
        [...Array.from({ length: 10 }, (_, n) => `a-${n}`), "b-0"]
      )
      assert.deepStrictEqual(announced[0], {
        subscriber: "a",
        count: 1,
        reason: "Exhausted",
        eventId: "a-0",
        eventType: "a.b",
        attempts: 3
      })
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(announced.slice(11), [{ subscriber: "a", count: 15 }])
      failures.deadLettered(diagnosis("a", "later"), true)
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(announced.length, 13)
      assert.strictEqual(announced[12]?.eventId, "later")
    })
  )

  it.effect("counts every dead letter of a long storm", () =>
    Effect.gen(function* () {
      const { announced, failures } = yield* setUp
      for (let tick = 0; tick < 100; tick++) {
        for (let n = 0; n < 7; n++) failures.deadLettered(diagnosis("a", `${tick}-${n}`), true)
        yield* TestClock.adjust("130 millis")
      }
      yield* TestClock.adjust("3 seconds")
      assert.strictEqual(
        announced.reduce((sum, { count }) => sum + count, 0),
        700
      )
      assert.isAtMost(announced.length, 14 * 12)
    })
  )

  it.effect("N22: announces nothing about the runtime's own events, nor where announcements are turned off", () =>
    Effect.gen(function* () {
      const { announced, failures } = yield* setUp
      failures.deadLettered(diagnosis("a", "1", "bus.event.dead-lettered"), true)
      failures.deadLettered(diagnosis("a", "2"), false)
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(announced, [])
    })
  )

  it.effect("the stream buffers 256 failures for a slow reader, drops the oldest and counts the dropped ones", () =>
    Effect.gen(function* () {
      const { dropped, failures } = yield* setUp
      const ids: Array<string> = []
      yield* failures.stream.pipe(
        Stream.runForEach(({ id }) =>
          Effect.delay(
            Effect.sync(() => void ids.push(id)),
            "1 second"
          )
        ),
        Effect.forkScoped({ startImmediately: true })
      )
      yield* TestClock.adjust(0)
      for (let n = 0; n < 1_000; n++) failures.deadLettered(diagnosis("a", `${n}`), false)
      yield* TestClock.adjust("20 minutes")
      assert.strictEqual(ids.at(-1), "999")
      assert.isAtMost(ids.length, 300)
      assert.strictEqual(dropped() + ids.length, 1_000)
    })
  )
})
