/** A subscriber that loses its consumer, its queue or its broker comes back by itself (P3, P11). */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schedule, SubscriptionRef } from "effect"
import { fresh, numbered, numbers, upTo } from "../suites/Workbench.ts"
import * as Stage from "./Stage.ts"

describe("supervision", () => {
  it.effect("P11, C5, N34: a deleted queue is declared again; the subscriber runs on", () =>
    Effect.gen(function* () {
      const { bus, server } = yield* Stage.make
      const Happened = numbered()
      const name = fresh()
      const book = Stage.makeBook()
      const subscription = yield* bus.subscribe(name, { events: [Happened], handler: book.note })
      for (const round of [1, 2, 3]) {
        server.deleteQueue(name)
        yield* Stage.pass(60_000, 1_000)
        const { _tag, restarts } = yield* SubscriptionRef.get(subscription.status)
        assert.deepStrictEqual([_tag, restarts], ["Running", round])
        yield* bus.publish(Happened, { n: round }).pipe(Effect.forkChild({ startImmediately: true }))
        yield* Stage.soon(
          () => "not handled",
          () => book.entries.length === round
        )
      }
    })
  )

  it.effect("P11: while the broker is away it says Restarting and why; afterwards everybody is back", () =>
    Effect.gen(function* () {
      const { bus, server } = yield* Stage.make
      const Happened = numbered()
      const books = upTo(3).map(Stage.makeBook)
      const subscriptions = yield* Effect.forEach(books, (book) =>
        bus.subscribe(fresh(), { events: [Happened], handler: book.note })
      )
      server.disconnect("not stored")
      yield* Stage.pass(Stage.minutes(5), 1_000)
      for (const { status } of subscriptions) {
        const { _tag, cause } = yield* SubscriptionRef.get(status)
        assert.strictEqual(_tag, "Restarting")
        assert.isString(cause)
      }
      server.reconnect()
      // However long they had waited by then, they do not wait on.
      yield* Stage.pass(2_000, 100)
      yield* bus.publish(Happened, { n: 1 }).pipe(Effect.forkChild({ startImmediately: true }))
      for (const book of books)
        yield* Stage.soon(
          () => "not handled",
          () => book.entries.length === 1
        )
      for (const { status } of subscriptions) assert.strictEqual((yield* SubscriptionRef.get(status))._tag, "Running")
    })
  )

  it.effect("P3, P11, N7: handlers of a lost connection are interrupted, and their events handled again", () =>
    Effect.gen(function* () {
      const { bus, letters, server } = yield* Stage.make
      const Happened = numbered()
      const name = fresh()
      const book = Stage.makeBook()
      let interrupted = 0
      yield* bus.subscribe(name, {
        events: [Happened],
        retry: Schedule.recurs(0),
        handler: (event, info) =>
          Effect.andThen(
            book.note(event, info),
            Effect.suspend(() =>
              interrupted < 3 ? Effect.onInterrupt(Effect.never, () => Effect.sync(() => ++interrupted)) : Effect.void
            )
          )
      })
      yield* bus.publishAll(Happened, numbers(3)).pipe(Effect.forkChild({ startImmediately: true }))
      yield* Stage.soon(
        () => "not running",
        () => book.entries.length === 3
      )
      server.disconnect("stored")
      yield* Stage.turns
      assert.strictEqual(interrupted, 3)
      server.reconnect()
      yield* Stage.pass(31_000, 1_000)
      assert.deepStrictEqual(
        book.entries
          .slice(3)
          .map(({ n }) => n)
          .toSorted(),
        [0, 1, 2]
      )
      assert.isTrue(
        book.entries.every(({ attempt }) => attempt === 1),
        "an interruption from outside is no attempt"
      )
      assert.deepStrictEqual(yield* letters.list(name), [])
    })
  )
})
