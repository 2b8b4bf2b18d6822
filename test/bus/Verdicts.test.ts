/** What is decided on what was not handled, over hours and days of the test's clock (P3, P5, P7, P9). */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Fiber, Schedule, Schema, SubscriptionRef } from "effect"
import { Later, Reject } from "../../src/bus/BusError.ts"
import { maxDelaySeconds } from "../../src/bus/Broker.ts"
import * as Event from "../../src/event/Event.ts"
import { fresh, keyed, numbered, Numbered, numbers, upTo } from "../suites/Workbench.ts"
import * as Stage from "./Stage.ts"

describe("a retry", () => {
  it.effect("P7: by default after 1, 2, 4, 8 and 16 seconds, then a dead letter", () =>
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
        firstFailure: 0,
        lastFailure: 31_000
      })
    })
  )

  it.effect(
    "P7, N19: on the broker in whole seconds, rounded up; in the process exactly",
    () =>
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
      }),
    60_000
  )

  it.effect(
    "P5, P13, N18: at most half of the prefetch window waits in the process, what is beyond goes by the broker",
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

  it.effect(
    "P7: longer than one pass through the broker it goes in several, and is not early",
    () =>
      Effect.gen(function* () {
        const { bus } = yield* Stage.make
        const Happened = numbered()
        const book = Stage.makeBook()
        yield* bus.subscribe(fresh(), {
          events: [Happened],
          retry: Schedule.spaced("20 days"),
          handler: (event, info) =>
            Effect.andThen(book.note(event, info), info.attempt === 1 ? Effect.fail("no") : Effect.void)
        })
        yield* bus.publish(Happened, { n: 1 }).pipe(Effect.forkChild({ startImmediately: true }))
        const day = Stage.hours(24)
        assert.isAbove(20 * day, maxDelaySeconds * 1_000)
        yield* Stage.pass(21 * day, Stage.hours(6))
        assert.strictEqual(book.entries.length, 2)
        assert.strictEqual(book.entries[1]?.attempt, 2)
        assert.isAtLeast(book.entries[1]?.at ?? 0, 20 * day)
        assert.isAtMost(book.entries[1]?.at ?? 0, 20 * day + Stage.hours(6))
      }),
    60_000
  )

  it.effect("N27: upTo({ duration }) ends by the time that really passed", () =>
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

describe("a lane", () => {
  it.effect("P5, N8: waits ten minutes at most, then its head is given up and it goes on", () =>
    Effect.gen(function* () {
      const { bus, letters } = yield* Stage.make
      const Changed = keyed()
      const name = fresh()
      const book = Stage.makeBook()
      yield* bus.subscribe(name, {
        events: [Changed],
        ordering: "key",
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

  it.effect("P5, N8: a step that is too long by the error is given up at once", () =>
    Effect.gen(function* () {
      const { bus, letters } = yield* Stage.make
      const Changed = keyed()
      const name = fresh()
      const book = Stage.makeBook()
      yield* bus.subscribe(name, {
        events: [Changed],
        ordering: "key",
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

  it.effect("P5, N8, C19: waits while at most half of the window stands behind it; one more and it is given up", () =>
    Effect.gen(function* () {
      const { bus, letters } = yield* Stage.make
      const Changed = keyed()
      const name = fresh()
      const book = Stage.makeBook()
      yield* bus.subscribe(name, {
        events: [Changed],
        ordering: "key",
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

describe("putting off", () => {
  it.effect("N20: ends 24 hours after the first time", () =>
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

  it.effect("N20: is no attempt: failures before and after it count on", () =>
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
      assert.deepInclude(letter, { reason: "Exhausted", attempts: 3, firstFailure: 0 })
      assert.deepStrictEqual(
        letter?.failures.map(({ message }) => message),
        ["one", "two", "three"]
      )
    })
  )

  it.effect("P9, N16, M1: a newer version is put off every 30 seconds for an hour, then it is UnknownVersion", () =>
    Effect.gen(function* () {
      const { bus, letters } = yield* Stage.make
      const event = fresh("versioned")
      const name = fresh()
      const Old = Event.make(event, { version: 1, data: Numbered })
      const New = Event.make(event, { version: 2, data: Schema.Struct({ n: Schema.Finite, unit: Schema.String }) })
      const subscription = yield* bus.subscribe(name, { events: [Old], handler: () => Effect.void })
      const publishing = yield* bus
        .publish(New, { n: 1, unit: "points" })
        .pipe(Effect.forkChild({ startImmediately: true }))
      yield* Stage.turns
      const { id } = yield* Fiber.join(publishing)
      yield* Stage.pass(Stage.minutes(59), 30_000)
      assert.deepStrictEqual(yield* letters.list(name), [])
      assert.strictEqual((yield* subscription.stats).postponed, 119)
      yield* Stage.pass(Stage.minutes(2), 30_000)
      const [letter] = yield* letters.list(name)
      assert.deepInclude(letter, { reason: "UnknownVersion", eventId: id, eventType: event })
      assert.include(letter?.error.message, "version 2")
    })
  )
})

describe("a copy", () => {
  it.effect("P3, R1: is stored before its original is settled: while the broker blocks, the original stays", () =>
    Effect.gen(function* () {
      const { bus, letters, server } = yield* Stage.make
      const Happened = numbered()
      const name = fresh()
      const gate = yield* Deferred.make<void>()
      const subscription = yield* bus.subscribe(name, {
        events: [Happened],
        handler: () => Effect.andThen(Deferred.await(gate), Effect.fail(new Reject({ reason: "no" })))
      })
      yield* bus.publish(Happened, { n: 1 }).pipe(Effect.forkChild({ startImmediately: true }))
      yield* Stage.pass(1_000)
      assert.strictEqual((yield* subscription.stats).inFlight, 1)
      server.block("low on memory")
      yield* Deferred.succeed(gate, undefined)
      yield* Stage.pass(10_000, 500)
      assert.strictEqual(yield* letters.count(name), 0)
      assert.deepInclude(yield* subscription.stats, { inFlight: 0, held: 1, deadLettered: 0 })
      assert.strictEqual(server.counts().unacked, 1)
      server.unblock()
      yield* Stage.pass(30_000, 500)
      assert.strictEqual((yield* letters.list(name)).length, 1)
      assert.deepInclude(yield* subscription.stats, { held: 0, deadLettered: 1 })
      assert.strictEqual(server.counts().unacked, 0)
    })
  )

  it.effect("P3, R2: an answer that is lost is asked for again; a duplicate copy costs nothing but itself", () =>
    Effect.gen(function* () {
      const { bus, letters, server } = yield* Stage.make
      const Happened = numbered()
      const name = fresh()
      let fail = true
      const subscription = yield* bus.subscribe(name, {
        events: [Happened],
        handler: () =>
          Effect.suspend(() => {
            if (!fail) return Effect.void
            // The connection breaks in the very moment in which the copy is on its way.
            setImmediate(() => server.disconnect("stored"))
            fail = false
            return Effect.fail(new Reject({ reason: "no" }))
          })
      })
      yield* bus.publish(Happened, { n: 1 }).pipe(Effect.forkChild({ startImmediately: true }))
      yield* Stage.pass(1_000, 100)
      server.reconnect()
      yield* Stage.pass(120_000, 1_000)
      assert.strictEqual((yield* SubscriptionRef.get(subscription.status))._tag, "Running")
      const { deadLettered, handled } = yield* subscription.stats
      assert.isAtLeast(deadLettered + handled, 1)
      assert.isAtLeast((yield* letters.list(name)).length + handled, 1)
      assert.strictEqual(server.counts().unacked, 0)
    })
  )
})
