/** Monotonic time: it follows the clock of a test, has fractions, and becomes whole wall time on its way out. */
import { assert, it } from "@effect/vitest"
import { Clock, Effect, Schedule } from "effect"
import { TestClock } from "effect/testing"
import * as Monotonic from "../../src/observe/Monotonic.ts"
import { fresh, keyed } from "../../src/ports/conformance/setup/TestEvents.ts"
import * as Stage from "../bus/Stage.ts"

it.effect("follows the clock of a test, and has fractions of a millisecond", () =>
  Effect.gen(function* () {
    const now = yield* Monotonic.make
    const before = now()
    yield* TestClock.adjust("90 seconds")
    yield* TestClock.adjust(0.25)
    assert.strictEqual(now() - before, 90_000.25)
  })
)

it.live("is not set with the wall clock", () =>
  Effect.gen(function* () {
    const clock = yield* Clock.Clock
    const now = Monotonic.of(clock)
    const [first, second] = [now(), now()]
    assert.isAtLeast(second, first)
    // Node's counter, which begins with the process.
    assert.isBelow(Math.abs(performance.now() - second), 60_000)
  })
)

it.effect("what is written on the wire is whole, and never before its time", () =>
  Effect.gen(function* () {
    const clock = yield* Clock.Clock
    assert.strictEqual(Monotonic.wallAfter(clock, 90_000.25), clock.currentTimeMillisUnsafe() + 90_001)
    assert.strictEqual(Monotonic.wallAfter(clock, 90_000), clock.currentTimeMillisUnsafe() + 90_000)
  })
)

it.effect("P7: a parked event whose delay has a fraction runs once it is due, and not before", () =>
  Effect.gen(function* () {
    const { bus } = yield* Stage.make
    const Changed = keyed()
    const book = Stage.makeBook()
    yield* bus.subscribe(fresh(), {
      events: [Changed],
      ordering: "key",
      onBlocked: "park",
      // Beyond what a lane waits in place: it is parked, and parked again.
      retry: () => Schedule.spaced(1_200_000.25),
      handler: (event, info) =>
        Effect.andThen(book.note(event, info), info.attempt < 3 ? Effect.fail("not yet") : Effect.void)
    })
    yield* Effect.forkChild(bus.publish(Changed, { n: 1, k: "a" }), { startImmediately: true })
    yield* Stage.pass(Stage.minutes(45), 1_000)
    assert.deepStrictEqual(
      book.entries.map(({ attempt }) => attempt),
      [1, 2, 3]
    )
    const [first = 0, second = 0, third = 0] = book.times()
    assert.isAtLeast(second - first, 1_200_000)
    assert.isAtLeast(third - second, 1_200_000)
  })
)
