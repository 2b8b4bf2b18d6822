/** How long a lane waits in the process for its first event (P5). */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schedule } from "effect"
import { fresh, keyed, upTo } from "../../../src/ports/conformance/setup/TestEvents.ts"
import * as Stage from "../Stage.ts"

describe("a lane that waits", () => {
  it.effect("P5, N8: waits at most ten minutes, then dead-letters its first event and goes on", () =>
    Effect.gen(function* () {
      const { bus, letters } = yield* Stage.make
      const Changed = keyed()
      const name = fresh()
      const book = Stage.makeBook()
      yield* bus.subscribe(name, {
        events: [Changed],
        ordering: "key",
        onBlocked: "dead-letter",
        retry: Schedule.spaced("4 minutes"),
        handler: (event, info) =>
          Effect.andThen(book.note(event, info), event.data.n === 1 ? Effect.fail("no") : Effect.void)
      })
      yield* bus.publish(Changed, { n: 0, k: "z" }).pipe(Effect.forkChild({ startImmediately: true }))
      yield* Stage.turns
      yield* bus
        .publishAll(Changed, [
          { n: 1, k: "a" },
          { n: 2, k: "a" },
          { n: 3, k: "b" }
        ])
        .pipe(Effect.forkChild({ startImmediately: true }))
      yield* Stage.pass(Stage.minutes(15), 30_000)
      assert.deepStrictEqual(
        book.entries.map(({ n }) => n),
        [0, 1, 3, 1, 1, 2]
      )
      assert.deepInclude((yield* letters.list(name))[0], { reason: "LaneTooSlow", attempts: 3 })
      const [, first, , second, third] = book.times()
      assert.deepStrictEqual([(second ?? 0) - (first ?? 0), (third ?? 0) - (second ?? 0)], [240_000, 240_000])
    })
  )

  it.effect("P5, N8: dead-letters at once when the retry chosen by the error takes too long", () =>
    Effect.gen(function* () {
      const { bus, letters } = yield* Stage.make
      const Changed = keyed()
      const name = fresh()
      const book = Stage.makeBook()
      yield* bus.subscribe(name, {
        events: [Changed],
        ordering: "key",
        onBlocked: "dead-letter",
        retry: () => Schedule.spaced("11 minutes"),
        handler: (event, info) =>
          Effect.andThen(book.note(event, info), event.data.n === 1 ? Effect.fail("no") : Effect.void)
      })
      yield* bus
        .publishAll(Changed, [
          { n: 0, k: "z" },
          { n: 1, k: "a" },
          { n: 2, k: "a" }
        ])
        .pipe(Effect.forkChild({ startImmediately: true }))
      yield* Stage.pass(1_000)
      assert.deepStrictEqual(
        book.entries.map(({ n }) => n),
        [0, 1, 2]
      )
      assert.deepInclude((yield* letters.list(name))[0], { reason: "LaneTooSlow", attempts: 1 })
    })
  )

  it.effect("P5, N8, C19: waits while at most half of the window waits behind it, and dead-letters with one more", () =>
    Effect.gen(function* () {
      const { bus, letters } = yield* Stage.make
      const Changed = keyed()
      const name = fresh()
      const book = Stage.makeBook()
      yield* bus.subscribe(name, {
        events: [Changed],
        ordering: "key",
        onBlocked: "dead-letter",
        prefetch: 20,
        retry: Schedule.spaced("5 minutes"),
        handler: (event, info) =>
          Effect.andThen(
            book.note(event, info),
            event.data.n === 1 && info.attempt === 1 ? Effect.fail("no") : Effect.void
          )
      })
      yield* bus.publish(Changed, { n: 0, k: "z" }).pipe(Effect.forkChild({ startImmediately: true }))
      yield* Stage.turns
      yield* bus
        .publishAll(
          Changed,
          upTo(11).map((n) => ({ n: n + 1, k: "a" }))
        )
        .pipe(Effect.forkChild({ startImmediately: true }))
      yield* Stage.pass(60_000)
      assert.deepStrictEqual(
        book.entries.map(({ n }) => n),
        [0, 1]
      )
      assert.deepStrictEqual(yield* letters.list(name), [])
      yield* bus.publish(Changed, { n: 12, k: "a" }).pipe(Effect.forkChild({ startImmediately: true }))
      yield* Stage.pass(1_000)
      assert.deepInclude((yield* letters.list(name))[0], { reason: "LaneFull", attempts: 1 })
      assert.deepStrictEqual(
        book.entries.map(({ n }) => n),
        [0, 1, ...upTo(11).map((n) => n + 2)]
      )
    })
  )
})
