/** Postponements: how long they go on, and what they count as (P9). */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schedule } from "effect"
import { Later } from "../../../src/bus/subscriber/HandlerError.ts"
import { fresh, numbered } from "../../../src/ports/conformance/setup/TestEvents.ts"
import * as Stage from "../Stage.ts"

describe("postponing", () => {
  it.effect("N20: ends 24 hours after the first postponement", () =>
    Effect.gen(function* () {
      const { bus, letters } = yield* Stage.make
      const Happened = numbered()
      const name = fresh()
      const book = Stage.makeBook()
      yield* bus.subscribe(name, {
        events: [Happened],
        handler: (event, info) => Effect.andThen(book.note(event, info), Effect.fail(Later.in("10 hours")))
      })
      yield* bus.publish(Happened, { n: 1 }).pipe(Effect.forkChild({ startImmediately: true }))
      yield* Stage.pass(Stage.hours(40), Stage.hours(1))
      assert.deepStrictEqual(book.times(), [0, 10, 20, 30].map(Stage.hours))
      assert.deepInclude((yield* letters.list(name))[0], { reason: "PostponedTooOften", attempts: 0 })
    })
  )

  it.effect("N20: does not count as an attempt: failures before and after it are counted on", () =>
    Effect.gen(function* () {
      const { bus, letters } = yield* Stage.make
      const Happened = numbered()
      const name = fresh()
      const book = Stage.makeBook()
      const says: ReadonlyArray<Effect.Effect<never, string | Later>> = [
        Effect.fail("one"),
        Effect.fail(Later.in("1 minute")),
        Effect.fail("two"),
        Effect.fail(Later.in("10 millis")),
        Effect.fail("three")
      ]
      yield* bus.subscribe(name, {
        events: [Happened],
        retry: Schedule.spaced("2 seconds").pipe(Schedule.upTo({ times: 2 })),
        handler: (event, info) =>
          Effect.andThen(
            book.note(event, info),
            Effect.suspend(() => says[book.entries.length - 1] ?? Effect.void)
          )
      })
      yield* bus.publish(Happened, { n: 1 }).pipe(Effect.forkChild({ startImmediately: true }))
      yield* Stage.pass(Stage.minutes(2), 500)
      assert.deepStrictEqual(
        book.entries.map(({ attempt }) => attempt),
        [1, 2, 2, 3, 3]
      )
      const [letter] = yield* letters.list(name)
      assert.deepInclude(letter, { reason: "Exhausted", attempts: 3, firstFailure: new Date(0) })
      assert.deepStrictEqual(
        letter?.failures.map(({ message }) => message),
        ["one", "two", "three"]
      )
    })
  )
})
