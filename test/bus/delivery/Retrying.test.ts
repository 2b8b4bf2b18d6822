/** When an event is retried, and when it is not retried any more (P5, P7, P13). */
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Schedule } from "effect"
import { maxDelaySeconds } from "../../../src/bus/port/Broker.ts"
import { fresh, numbered, numbers } from "../../../src/ports/conformance/setup/TestEvents.ts"
import * as Stage from "../Stage.ts"

describe("retrying", () => {
  it.effect("P7: retries after 1, 2, 4, 8 and 16 seconds by default, then dead-letters", () =>
    Effect.gen(function* () {
      const { bus, letters } = yield* Stage.make
      const Happened = numbered()
      const name = fresh()
      const book = Stage.makeBook()
      yield* bus.subscribe(name, {
        events: [Happened],
        handler: (event, info) => Effect.andThen(book.note(event, info), Effect.fail("no"))
      })
      yield* bus.publish(Happened, { n: 1 }).pipe(Effect.forkChild({ startImmediately: true }))
      yield* Stage.pass(60_000, 500)
      assert.deepStrictEqual(book.times(), [0, 1_000, 3_000, 7_000, 15_000, 31_000])
      assert.deepStrictEqual(
        book.entries.map(({ attempt }) => attempt),
        [1, 2, 3, 4, 5, 6]
      )
      assert.deepInclude((yield* letters.list(name))[0], {
        reason: "Exhausted",
        attempts: 6,
        firstFailure: new Date(0),
        lastFailure: new Date(31_000)
      })
    })
  )

  it.effect("P7, N19: waits in whole seconds on the broker, rounded up, and exactly in the process", () =>
    Effect.gen(function* () {
      const { bus } = yield* Stage.make
      const Happened = numbered()
      const book = Stage.makeBook()
      const waits = [999, 1_000, 1_001, 2_500, 1]
      yield* bus.subscribe(fresh(), {
        events: [Happened],
        retry: (wait: unknown) => Schedule.spaced(Duration.millis(Number(wait))),
        handler: (event, info) =>
          Effect.andThen(
            book.note(event, info),
            info.attempt <= waits.length ? Effect.fail(waits[info.attempt - 1]) : Effect.void
          )
      })
      yield* bus.publish(Happened, { n: 1 }).pipe(Effect.forkChild({ startImmediately: true }))
      yield* Stage.pass(12_000, 1)
      assert.deepStrictEqual(book.times(), [0, 999, 1_999, 3_999, 6_999, 7_000])
    })
  )

  it.effect(
    "P5, P13, N18: at most half of the prefetch window waits in the process; further retries wait on the broker",
    () =>
      Effect.gen(function* () {
        const { bus, server } = yield* Stage.make
        const Happened = numbered()
        const book = Stage.makeBook()
        const subscription = yield* bus.subscribe(fresh(), {
          events: [Happened],
          prefetch: 8,
          retry: Schedule.spaced("500 millis"),
          handler: (event, info) =>
            Effect.andThen(
              book.note(event, info),
              event.data.n > 0 && info.attempt === 1 ? Effect.fail("no") : Effect.void
            )
        })
        yield* bus.publish(Happened, { n: 0 }).pipe(Effect.forkChild({ startImmediately: true }))
        yield* Stage.turns
        yield* bus.publishAll(Happened, numbers(30, 1)).pipe(Effect.forkChild({ startImmediately: true }))
        yield* Stage.soon(
          () => `${book.entries.length} of 31`,
          () => book.entries.length === 31
        )
        yield* Stage.turns
        assert.deepStrictEqual([(yield* subscription.stats).held, server.counts().delayed], [4, 26])
        yield* Stage.pass(500)
        assert.strictEqual(book.entries.filter(({ attempt }) => attempt === 2).length, 4)
        yield* Stage.pass(600, 100)
        assert.strictEqual(book.entries.filter(({ attempt }) => attempt === 2).length, 30)
      })
  )

  it.effect("P7: a delay longer than one pass through the broker takes several passes, and does not end early", () =>
    Effect.gen(function* () {
      const { bus } = yield* Stage.make
      const Happened = numbered()
      const book = Stage.makeBook()
      yield* bus.subscribe(fresh(), {
        events: [Happened],
        retry: Schedule.spaced("13 days"),
        handler: (event, info) =>
          Effect.andThen(book.note(event, info), info.attempt === 1 ? Effect.fail("no") : Effect.void)
      })
      yield* bus.publish(Happened, { n: 1 }).pipe(Effect.forkChild({ startImmediately: true }))
      const day = Stage.hours(24)
      assert.isAbove(13 * day, maxDelaySeconds * 1_000)
      yield* Stage.pass(14 * day, Stage.hours(6))
      assert.strictEqual(book.entries.length, 2)
      assert.strictEqual(book.entries[1]?.attempt, 2)
      assert.isAtLeast(book.entries[1]?.at ?? 0, 13 * day)
      assert.isAtMost(book.entries[1]?.at ?? 0, 13 * day + Stage.hours(6))
    })
  )

  it.effect("N27: upTo({ duration }) counts the time that really passed", () =>
    Effect.gen(function* () {
      const { bus, letters } = yield* Stage.make
      const Happened = numbered()
      const name = fresh()
      const book = Stage.makeBook()
      yield* bus.subscribe(name, {
        events: [Happened],
        deadline: "10 minutes",
        retry: Schedule.spaced("10 seconds").pipe(Schedule.upTo({ duration: "5 minutes" })),
        handler: (event, info) => Effect.andThen(Effect.delay(book.note(event, info), "2 minutes"), Effect.fail("slow"))
      })
      yield* bus.publish(Happened, { n: 1 }).pipe(Effect.forkChild({ startImmediately: true }))
      yield* Stage.pass(Stage.minutes(30), 5_000)
      assert.isAtMost(book.entries.length, 4)
      assert.isAtLeast(book.entries.length, 3)
      assert.deepInclude((yield* letters.list(name))[0], { reason: "Exhausted", attempts: book.entries.length })
    })
  )
})
