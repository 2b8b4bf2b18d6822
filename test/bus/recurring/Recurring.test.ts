/** Recurring events under the clock of the test, on the embedded broker: the processes have no more of a bus than they need. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect } from "effect"
import { TestClock } from "effect/testing"
import { hours, minutes, pass, seconds, turns } from "../Stage.ts"
import { at, stage } from "./RecurringStage.ts"

describe("a recurring event", () => {
  it.effect("is in time, and waits in every process but one", () =>
    Effect.gen(function* () {
      const { begin, ticks } = yield* stage
      const [one, other] = [yield* begin({ cron: "*/5 * * * *" }), yield* begin({ cron: "*/5 * * * *" })]
      yield* pass(minutes(31), seconds(10))
      assert.deepStrictEqual(
        ticks.map(({ late }) => late),
        [0, 0, 0, 0, 0, 0]
      )
      assert.deepStrictEqual(yield* one.probe, { status: "up", detail: `the next tick is ${at("00:35")}` })
      assert.include((yield* other.probe)?.detail, "another process publishes its ticks")
      yield* one.end
      assert.isUndefined(yield* one.probe)
      assert.deepStrictEqual(yield* other.probe, { status: "up", detail: `the next tick is ${at("00:35")}` })
    })
  )

  it.effect("that no process had for a while catches up with the latest tick, with all, or with none", () =>
    Effect.gen(function* () {
      const { begin, ticks, times } = yield* stage
      for (const [catchUp, expected] of [
        ["latest", ["04:00", "05:00"]],
        ["all", ["02:00", "03:00", "04:00", "05:00"]],
        ["none", ["05:00"]]
      ] as const) {
        yield* TestClock.setTime(Date.parse(at("00:30")))
        const name = `tick-${catchUp}`
        const before = yield* begin({ catchUp }, name)
        yield* pass(hours(1))
        assert.deepStrictEqual(times(), [at("01:00")])
        yield* before.end
        yield* pass(hours(3) + minutes(10))
        assert.lengthOf(ticks, 1)
        const after = yield* begin({ catchUp }, name)
        yield* pass(minutes(30), minutes(1))
        assert.deepStrictEqual(times(), [at("01:00"), ...expected.map(at)], catchUp)
        yield* after.end
        ticks.length = 0
      }
    })
  )

  it.effect("that ends in the second of a tick is published by the next process, without `catchUp` too", () =>
    Effect.gen(function* () {
      const { begin, times } = yield* stage
      const before = yield* begin({ catchUp: "none" })
      yield* pass(minutes(59))
      yield* before.end
      yield* pass(seconds(50))
      yield* begin({ catchUp: "none" })
      yield* pass(seconds(1))
      assert.deepStrictEqual(times(), [at("01:00")])
    })
  )

  it.effect("begins anew at other times, and does not catch up with those", () =>
    Effect.gen(function* () {
      const { begin, times } = yield* stage
      const before = yield* begin()
      yield* pass(hours(1))
      yield* before.end
      yield* pass(minutes(10))
      yield* begin({ cron: "5 * * * *" })
      yield* pass(minutes(50), minutes(1))
      assert.deepStrictEqual(times(), [at("01:00")])
      yield* pass(minutes(10), minutes(1))
      assert.deepStrictEqual(times(), [at("01:00"), at("02:05")])
    })
  )

  it.effect("goes on when the line is lost, and leaves one message behind, which never came back often", () =>
    Effect.gen(function* () {
      const { begin, server, times, watcher } = yield* stage
      const process = yield* begin()
      for (let n = 0; n < 12; n++) {
        yield* pass(minutes(20))
        server.disconnect("stored")
        yield* turns
        server.reconnect()
        yield* pass(minutes(10), minutes(1))
      }
      assert.deepStrictEqual(
        times(),
        Array.from({ length: 6 }, (_, n) => at(`0${n + 1}:00`))
      )
      yield* process.end
      assert.deepStrictEqual(yield* watcher.depth("recurring.tick"), { ready: 1, consumers: 0 })
      assert.strictEqual(yield* watcher.deadLetterDepth({ _tag: "Subscriber", name: "recurring.tick" }), 0)
    })
  )

  it.effect("goes on after its queue was emptied by hand", () =>
    Effect.gen(function* () {
      const { begin, times, watcher } = yield* stage
      const before = yield* begin()
      yield* pass(hours(1))
      yield* before.end
      // What an operator purges.
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* watcher.consume({
            subscriber: "recurring.tick",
            prefetch: 10,
            onDelivery: ({ ack }) => ack(),
            onLost: () => {}
          })
          yield* turns
        })
      )
      assert.strictEqual((yield* watcher.depth("recurring.tick")).ready, 0)
      yield* begin()
      yield* pass(hours(1))
      assert.deepStrictEqual(times(), [at("01:00"), at("02:00")])
    })
  )

  it.effect("whose data cannot be made is tried again, says why, and comes late rather than never", () =>
    Effect.gen(function* () {
      const { begin, times } = yield* stage
      let faults = 10
      const process = yield* begin({
        data: (tick) => {
          if (faults-- > 0) throw new Error("no such month")
          return { at: tick.toISOString() }
        }
      })
      yield* pass(minutes(61), seconds(30))
      assert.include((yield* process.probe)?.detail, `the tick of ${at("01:00")} is not published`)
      assert.include((yield* process.probe)?.detail, "no such month")
      yield* pass(minutes(9), seconds(30))
      assert.deepStrictEqual(times(), [at("01:00")])
      assert.strictEqual((yield* process.probe)?.status, "up")
    })
  )

  it.effect("whose tick fails for hours is held no longer than one that waits: RabbitMQ takes back what is", () =>
    Effect.gen(function* () {
      const { begin, watcher } = yield* stage
      const process = yield* begin({
        data: () => {
          throw new Error("no such month")
        }
      })
      yield* pass(hours(4), minutes(1))
      yield* process.end
      const stored: Array<number | undefined> = []
      yield* Effect.scoped(
        Effect.andThen(
          watcher.consume({
            subscriber: "recurring.tick",
            prefetch: 10,
            onDelivery: ({ properties }) => void stored.push(properties.timestamp),
            onLost: () => {}
          }),
          turns
        )
      )
      assert.lengthOf(stored, 1)
      assert.isAtLeast(stored[0] ?? 0, Date.parse(at("03:50")))
    })
  )

  it.effect("follows the wall clock when it is set, and repeats no tick when it is set back", () =>
    Effect.gen(function* () {
      const clock = yield* Clock.Clock
      let offset = 0
      const wall = (): number => clock.currentTimeMillisUnsafe() + offset
      const settable: Clock.Clock = { ...clock, currentTimeMillisUnsafe: wall, currentTimeMillis: Effect.sync(wall) }
      const { begin, times } = yield* stage
      yield* Effect.provideService(begin(), Clock.Clock, settable)
      yield* pass(minutes(10))
      offset = hours(3)
      yield* pass(minutes(2))
      assert.deepStrictEqual(times(), [at("03:00")])
      yield* pass(minutes(58), minutes(1))
      assert.deepStrictEqual(times(), [at("03:00"), at("04:00")])
      offset += -minutes(30)
      yield* pass(minutes(50), minutes(1))
      assert.deepStrictEqual(times(), [at("03:00"), at("04:00")])
      yield* pass(minutes(40), minutes(1))
      assert.deepStrictEqual(times(), [at("03:00"), at("04:00"), at("05:00")])
      // The clock was days ahead: the ticks until then are not waited for.
      offset += -hours(30)
      yield* pass(hours(2), minutes(1))
      assert.lengthOf(times(), 5)
    })
  )
})
