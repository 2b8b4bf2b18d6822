/** How long a key waits, how much is parked, and when parking is refused (P3, P5, P6, P7, P13). */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Schedule } from "effect"
import { fresh, keyed, upTo } from "../../../src/ports/conformance/setup/TestEvents.ts"
import * as Stage from "../Stage.ts"
import { killableProcess, pairs } from "./ParkingStage.ts"

/** The event 0 fails this often; the others succeed. */
const headFails =
  (book: ReturnType<typeof Stage.makeBook>, times: number) =>
  (...[event, info]: Parameters<typeof book.note>) =>
    Effect.andThen(
      book.note(event, info),
      event.data.n === 0 && info.attempt <= times ? Effect.fail("no") : Effect.void
    )

describe("parking", () => {
  it.effect("P6, P7: a key waits for hours, while its consumer is renewed, and does not run early", () =>
    Effect.gen(function* () {
      const { bus } = yield* Stage.make
      const Changed = keyed()
      const book = Stage.makeBook()
      const subscription = yield* bus.subscribe(fresh(), {
        events: [Changed],
        ordering: "key",
        onBlocked: "park",
        retry: Schedule.spaced("3 hours"),
        handler: headFails(book, 2)
      })
      yield* bus.publishAll(Changed, pairs(5))
      yield* Stage.pass(Stage.seconds(5), 1000)
      assert.deepStrictEqual(
        book.entries.map(({ attempt, n }) => [n, attempt]),
        [[0, 1]]
      )
      const [first] = book.times()
      yield* bus.publish(Changed, { n: 5, k: "a" })
      yield* Stage.pass(Stage.hours(6) + Stage.seconds(60), Stage.seconds(10))
      assert.deepStrictEqual(
        book.entries.map(({ attempt, n }) => [n, attempt]),
        [[0, 1], [0, 2], [0, 3], ...upTo(5).map((n) => [n + 1, 1])]
      )
      const at = book.times()
      assert.isAtLeast((at[1] ?? 0) - (first ?? 0), Stage.hours(3))
      assert.isAtLeast((at[2] ?? 0) - (at[1] ?? 0), Stage.hours(3))
      assert.isAtMost((at[2] ?? 0) - (first ?? 0), Stage.hours(6) + Stage.seconds(60))
      const { handled, held, parked, returns } = yield* subscription.stats
      assert.deepStrictEqual({ handled, held, parked, returns }, { handled: 6, held: 0, parked: 0, returns: 0 })
    })
  )

  it.effect("N17, P3: two events with one id and other data are parked and run both", () =>
    Effect.gen(function* () {
      const { bus } = yield* Stage.make
      const Changed = keyed()
      const book = Stage.makeBook()
      const subscription = yield* bus.subscribe(fresh(), {
        events: [Changed],
        ordering: "key",
        onBlocked: "park",
        retry: Schedule.spaced("1 hour"),
        handler: headFails(book, 1)
      })
      yield* bus.publish(Changed, { n: 0, k: "a" })
      yield* Stage.pass(Stage.seconds(5), 1000)
      for (const n of [1, 2]) yield* bus.publish(Changed, { n, k: "a" }, { id: "same" })
      yield* Stage.pass(Stage.hours(1) + Stage.seconds(60), Stage.seconds(10))
      assert.deepStrictEqual(
        book.entries.map(({ n }) => n),
        [0, 0, 1, 2]
      )
      assert.deepInclude(yield* subscription.stats, { handled: 3, held: 0, parked: 0 })
    })
  )

  it.effect("refuses a keyed Schedule above ten minutes without parking, and parking without order", () =>
    Effect.gen(function* () {
      const { bus } = yield* Stage.make
      const Changed = keyed()
      const base = { events: [Changed], handler: () => Effect.void } as const
      const long = yield* Effect.flip(
        bus.subscribe(fresh(), {
          ...base,
          ordering: "key",
          onBlocked: "dead-letter",
          retry: Schedule.spaced("11 minutes")
        })
      )
      assert.match(long.message, /onBlocked "park"/)
      const loose = yield* Effect.flip(bus.subscribe(fresh(), { ...base, onBlocked: "park" }))
      assert.match(loose.message, /onBlocked/)
    })
  )

  it.effect("P5, P13: parks at most 10,000 events, then dead-letters the head, and the key goes on", () =>
    Effect.gen(function* () {
      const { bus, letters } = yield* Stage.make
      const Changed = keyed()
      const name = fresh()
      const handled: Array<number> = []
      const subscription = yield* bus.subscribe(name, {
        events: [Changed],
        ordering: "key",
        onBlocked: "park",
        prefetch: 20,
        retry: Schedule.spaced("1 day"),
        handler: ({ data: { n } }) => (n === 0 ? Effect.fail("not now") : Effect.sync(() => void handled.push(n)))
      })
      yield* bus.publish(Changed, { n: 0, k: "a" })
      yield* Stage.pass(1000, 100)
      const most = 10_000
      yield* Effect.forkChild(bus.publishAll(Changed, pairs(most + 50, "a", 1)), { startImmediately: true })
      for (let round = 0; round < 400 && handled.length < most + 50; round++) yield* Stage.pass(100, 50)
      assert.deepStrictEqual(
        handled,
        upTo(most + 50).map((n) => n + 1)
      )
      assert.deepStrictEqual(
        (yield* letters.list(name)).map(({ attempts, error, reason }) => [reason, attempts, error.message]),
        [["LaneFull", 1, "not now"]]
      )
      yield* Stage.pass(1000, 100)
      assert.strictEqual((yield* subscription.stats).parked, 0)
    })
  )

  it.effect("P3: parked events are handled although the subscriber no longer parks", () =>
    Effect.gen(function* () {
      const stage = yield* Stage.make
      const Changed = keyed()
      const name = fresh()
      const book = Stage.makeBook()
      const one = yield* killableProcess(stage.server)
      const base = { events: [Changed], ordering: "key" } as const
      yield* one.subscribe(name, {
        ...base,
        onBlocked: "park",
        retry: Schedule.spaced("20 minutes"),
        handler: () => Effect.fail("not now")
      })
      yield* stage.bus.publishAll(Changed, pairs(3))
      yield* Stage.pass(Stage.seconds(2), 100)
      yield* one.kill
      const two = yield* killableProcess(stage.server)
      yield* two.subscribe(name, { ...base, handler: book.note })
      yield* Stage.pass(Stage.minutes(21), Stage.seconds(2))
      assert.deepStrictEqual(
        book.entries.map(({ n }) => n),
        [0, 1, 2]
      )
      assert.isAtLeast(book.times()[0] ?? 0, Stage.minutes(20))
      assert.isAbove(yield* Clock.currentTimeMillis, 0)
    })
  )
})
