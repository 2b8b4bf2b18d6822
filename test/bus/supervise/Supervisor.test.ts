/** A subscriber that loses its consumer, its queue or its broker restarts by itself; a failed start leaves nothing behind. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Schedule, Scope, SubscriptionRef } from "effect"
import { BrokerError } from "../../../src/bus/port/BrokerError.ts"
import { PermissionDenied } from "../../../src/bus/port/BrokerReason.ts"
import { fresh, numbered, numbers, upTo } from "../../../src/ports/conformance/setup/TestEvents.ts"
import * as Stage from "../Stage.ts"
import { make } from "./DeclaringProcess.ts"

describe("supervision", () => {
  it.effect("P11, C5, N34: a deleted queue is declared again, and the subscriber goes on", () =>
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

  it.effect(
    "P11: while the broker is away the status is Restarting with the cause; afterwards all subscribers run",
    () =>
      Effect.gen(function* () {
        const { bus, server } = yield* Stage.make
        const Happened = numbered()
        const books = upTo(3).map(Stage.makeBook)
        const subscriptions = yield* Effect.forEach(books, (book) =>
          bus.subscribe(fresh(), { events: [Happened], handler: book.note })
        )
        server.disconnect("not-stored")
        yield* Stage.pass(Stage.minutes(5), 1_000)
        for (const { status } of subscriptions) {
          const { _tag, cause } = yield* SubscriptionRef.get(status)
          assert.strictEqual(_tag, "Restarting")
          assert.isString(cause)
        }
        server.reconnect()
        // The backoff ends when the broker is back, however long it has become.
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

  it.effect("P3, P11, N7: handlers of a lost connection are interrupted and their events are handled again", () =>
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
        "an interruption from outside counted as an attempt"
      )
      assert.deepStrictEqual(yield* letters.list(name), [])
    })
  )

  for (const [what, trouble] of [
    ["a defect", Effect.die(new Error("broken adapter"))],
    ["a refusal", Effect.fail(new BrokerError({ reason: new PermissionDenied({ entity: "a queue", username: "u" }) }))]
  ] as const) {
    it.effect(`P11: a start that meets ${what} fails and leaves nothing in the scope of its caller`, () =>
      Effect.gen(function* () {
        const stage = yield* make
        const scope = yield* Scope.make()
        stage.trouble.next = trouble
        const exit = yield* stage.bus
          .subscribe(fresh(), { events: [numbered()], handler: () => Effect.void })
          .pipe(Scope.provide(scope), Effect.exit)
        assert.isTrue(Exit.isFailure(exit))
        if (Exit.isFailure(exit)) assert.deepInclude(Cause.squash(exit.cause), { _tag: "SubscribeError" })
        stage.trouble.next = undefined
        const before = stage.declared.length
        yield* Stage.pass(Stage.minutes(10), 10_000)
        assert.strictEqual(stage.declared.length, before, "a part of it still runs")
        assert.deepStrictEqual((yield* stage.bus.tree).subscribers, [])
        yield* Scope.close(scope, Exit.void)
      })
    )
  }
})
