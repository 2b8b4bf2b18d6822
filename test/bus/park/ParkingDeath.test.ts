/** Parked keys when their process dies at any moment (P3, P6, P7). */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schedule } from "effect"
import { fresh, keyed, upTo } from "../../../src/ports/conformance/setup/TestEvents.ts"
import * as Stage from "../Stage.ts"
import { failingSubscriber, isRising, killableProcess, losingConfirmsFrom, pairs } from "./ParkingStage.ts"

describe("parking", () => {
  it.effect("P3, P6: no event is lost or out of order when processes die, whatever the retry delay", () =>
    Effect.gen(function* () {
      const stage = yield* Stage.make
      const Changed = keyed()
      const name = fresh()
      const keys = 5
      const count = 300
      const tries = new Map<number, number>()
      const handled: Array<number> = []
      const running = new Map<string, symbol>()
      const overlaps: Array<string> = []
      const living = new Set<symbol>()
      const begin = Effect.gen(function* () {
        const self = Symbol("process")
        const one = yield* killableProcess(stage.server)
        living.add(self)
        yield* one.subscribe(name, {
          events: [Changed],
          ordering: "key",
          onBlocked: "park",
          prefetch: 20,
          retry: (error: string | object) =>
            error === "short"
              ? Schedule.spaced("300 millis")
              : error === "long"
                ? Schedule.spaced("12 minutes")
                : Schedule.spaced("4 seconds"),
          handler: ({ data: { k, n } }) =>
            Effect.gen(function* () {
              const other = running.get(k)
              if (other !== undefined && living.has(other)) overlaps.push(`${k} at ${n}`)
              running.set(k, self)
              yield* Effect.sleep(10)
              if (!living.has(self)) return
              const times = (tries.get(n) ?? 0) + 1
              tries.set(n, times)
              if (n % 7 === 3 && times <= 2) return yield* Effect.fail("short")
              if (n % 23 === 5 && times <= 2) return yield* Effect.fail("medium")
              if (n % 41 === 11 && times <= 2) return yield* Effect.fail("long")
              handled.push(n)
            }).pipe(Effect.ensuring(Effect.sync(() => void (running.get(k) === self && running.delete(k)))))
        })
        return Effect.suspend(() => {
          living.delete(self)
          return one.kill
        })
      })
      const deaths: Array<Effect.Effect<void>> = [yield* begin, yield* begin]
      for (const round of upTo(30)) {
        yield* stage.bus
          .publishAll(
            Changed,
            upTo(count / 30).map((n) => ({ n: (round * count) / 30 + n, k: `k${n % keys}` }))
          )
          .pipe(Effect.forkChild({ startImmediately: true }))
        yield* Stage.pass(100 + round * 37, 10)
        const death = deaths.shift()
        if (round % 3 === 0 && death !== undefined) {
          yield* death
          deaths.push(yield* begin)
        } else if (death !== undefined) deaths.push(death)
        yield* Stage.pass(round % 5 === 0 ? 5_000 : 500, 50)
      }
      for (let round = 0; round < 400 && new Set(handled).size < count; round++)
        yield* Stage.pass(Stage.minutes(1), 2_000)
      assert.deepStrictEqual(
        [...new Set(handled)].toSorted((a, b) => a - b),
        upTo(count)
      )
      for (const k of upTo(keys)) {
        const lane = [...new Set(handled.filter((n) => (n % 10) % keys === k))]
        assert.isTrue(isRising(lane), `out of order: ${lane}`)
      }
      assert.deepStrictEqual(overlaps, [])
      assert.strictEqual(yield* stage.letters.count(name), 0)
    })
  )

  it.effect(
    "P3, P6: a process that dies between a copy and its acknowledgement causes no duplicate and no disorder",
    () =>
      Effect.gen(function* () {
        const stage = yield* Stage.make
        const name = fresh()
        const { Changed, options, tried } = failingSubscriber((n, attempt) => n === 0 && attempt < 3)
        // Two events are moved; the confirm of the third copy never arrives.
        const lossy = losingConfirmsFrom(3)
        const one = yield* killableProcess(stage.server, lossy.override)
        yield* one.subscribe(name, options)
        yield* stage.bus.publishAll(Changed, pairs(6))
        yield* Stage.pass(Stage.seconds(10), 500)
        assert.strictEqual(lossy.copies(), 3)
        yield* one.kill
        yield* lossy.cut
        const two = yield* killableProcess(stage.server)
        const subscription = yield* two.subscribe(name, options)
        yield* Stage.pass(Stage.minutes(42), Stage.seconds(5))
        assert.deepStrictEqual(tried(), [[0, 1], [0, 2], [0, 3], ...upTo(5).map((n) => [n + 1, 1])])
        const { duplicates, handled, held } = yield* subscription.stats
        assert.deepStrictEqual({ duplicates, handled, held }, { duplicates: 1, handled: 6, held: 0 })
      })
  )

  it.effect("P6, P7: of two copies of a head, the one with more attempts is kept", () =>
    Effect.gen(function* () {
      const stage = yield* Stage.make
      const name = fresh()
      const { Changed, options, tried } = failingSubscriber((n, attempt) => n === 0 && attempt < 3)
      // The head, when it has failed once more.
      const lossy = losingConfirmsFrom(1, ({ message }) => message.headers["bus-attempt"] === 3)
      const one = yield* killableProcess(stage.server, lossy.override)
      yield* one.subscribe(name, options)
      yield* stage.bus.publishAll(Changed, pairs(2))
      yield* Stage.pass(Stage.minutes(21), Stage.seconds(5))
      assert.strictEqual(lossy.copies(), 1)
      yield* one.kill
      yield* lossy.cut
      const two = yield* killableProcess(stage.server)
      const subscription = yield* two.subscribe(name, options)
      yield* Stage.pass(Stage.minutes(21), Stage.seconds(5))
      assert.deepStrictEqual(tried(), [
        [0, 1],
        [0, 2],
        [0, 3],
        [1, 1]
      ])
      assert.strictEqual((yield* subscription.stats).parked, 0)
    })
  )
})
