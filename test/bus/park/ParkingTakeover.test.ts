/** Parked keys when another process becomes the active one (P6, P7, P11). */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Schedule, Scope } from "effect"
import type { Entry } from "../../../src/ports/conformance/setup/HandlerLedger.ts"
import { fresh, keyed, upTo } from "../../../src/ports/conformance/setup/TestEvents.ts"
import * as Stage from "../Stage.ts"
import { failingSubscriber, killableProcess, pairs } from "./ParkingStage.ts"

describe("parking", () => {
  it.effect(
    "P6: a process that takes over loads the parked events within half a minute, although nothing is published",
    () =>
      Effect.gen(function* () {
        const stage = yield* Stage.make
        const Changed = keyed()
        const name = fresh()
        const book = Stage.makeBook()
        const options = {
          events: [Changed],
          ordering: "key",
          onBlocked: "park",
          retry: Schedule.spaced("20 minutes"),
          handler: (event: Entry["event"], info: Entry["info"]) =>
            Effect.andThen(
              book.note(event, info),
              info.attempt === 1 && event.data.n === 0 ? Effect.fail("no") : Effect.void
            )
        } as const
        const one = yield* killableProcess(stage.server)
        yield* one.subscribe(name, options)
        const two = yield* killableProcess(stage.server)
        const standby = yield* two.subscribe(name, options)
        yield* stage.bus.publishAll(Changed, pairs(3))
        yield* Stage.pass(Stage.seconds(5), 500)
        assert.strictEqual(book.entries.length, 1)
        yield* one.kill
        yield* Stage.pass(Stage.seconds(40), 500)
        assert.strictEqual((yield* standby.stats).parked, 3)
        yield* Stage.pass(Stage.minutes(20), Stage.seconds(5))
        assert.deepStrictEqual(
          book.entries.map(({ attempt, n }) => [n, attempt]),
          [
            [0, 1],
            [0, 2],
            [1, 1],
            [2, 1]
          ]
        )
        const at = book.times()
        assert.isAtLeast((at[1] ?? 0) - (at[0] ?? 0), Stage.minutes(20))
      })
  )

  it.effect("P6, P7: a head that failed again is still the head for the process that takes over", () =>
    Effect.gen(function* () {
      const stage = yield* Stage.make
      const name = fresh()
      const { Changed, options, tried } = failingSubscriber((n, attempt) => n === 0 && attempt < 3)
      const one = yield* killableProcess(stage.server)
      yield* one.subscribe(name, options)
      yield* stage.bus.publishAll(Changed, pairs(4))
      yield* Stage.pass(Stage.minutes(21), Stage.seconds(5))
      assert.deepStrictEqual(tried(), [
        [0, 1],
        [0, 2]
      ])
      // Its copy is now the last in the parked queue.
      yield* one.kill
      const two = yield* killableProcess(stage.server)
      yield* two.subscribe(name, options)
      yield* Stage.pass(Stage.minutes(21), Stage.seconds(5))
      assert.deepStrictEqual(tried().slice(2), [
        [0, 3],
        [1, 1],
        [2, 1],
        [3, 1]
      ])
    })
  )

  it.effect("P6: nothing runs while another process still holds the parked events", () =>
    Effect.gen(function* () {
      const stage = yield* Stage.make
      const name = fresh()
      const { Changed, options, tried } = failingSubscriber((n, attempt) => n === 0 && attempt < 2, "5 minutes")
      const one = yield* killableProcess(stage.server)
      yield* one.subscribe(name, { ...options, retry: Schedule.spaced("11 minutes") })
      yield* stage.bus.publishAll(Changed, pairs(3))
      yield* Stage.pass(Stage.seconds(5), 500)
      const line = yield* Scope.make()
      yield* one.kill
      // The broker has not noticed yet that the first process ended.
      yield* stage.broker
        .consume({ subscriber: name, queue: "parked", prefetch: 10, onDelivery: () => {}, onLost: () => {} })
        .pipe(Scope.provide(line))
      const two = yield* killableProcess(stage.server)
      yield* two.subscribe(name, options)
      yield* stage.bus.publishAll(Changed, pairs(3, "a", 3))
      yield* Stage.pass(Stage.minutes(12), Stage.seconds(5))
      assert.deepStrictEqual(tried(), [[0, 1]])
      yield* Scope.close(line, Exit.void)
      yield* Stage.pass(Stage.minutes(1), Stage.seconds(1))
      assert.deepStrictEqual(tried(), [[0, 1], [0, 2], ...upTo(5).map((n) => [n + 1, 1])])
    })
  )

  it.effect(
    "P6, P11: a process that is no longer active holds no parked events; the active one holds all of them",
    () =>
      Effect.gen(function* () {
        const stage = yield* Stage.make
        const name = fresh()
        const { Changed, options, tried } = failingSubscriber((n, attempt) => n === 0 && attempt < 2)
        const one = yield* killableProcess(stage.server)
        const first = yield* one.subscribe(name, options)
        const two = yield* killableProcess(stage.server)
        const second = yield* two.subscribe(name, options)
        yield* stage.bus.publishAll(Changed, pairs(3))
        yield* Stage.pass(Stage.seconds(5), 500)
        assert.strictEqual((yield* first.stats).parked, 3)
        // Both processes consume again; either may become the active one.
        for (let round = 0; round < 20 && (yield* second.stats).parked === 0; round++) {
          stage.server.cancelConsumers(name, "own")
          yield* Stage.pass(Stage.seconds(40), 500)
        }
        assert.deepStrictEqual([(yield* first.stats).parked, (yield* second.stats).parked], [0, 3])
        yield* Stage.pass(Stage.minutes(20), Stage.seconds(5))
        assert.deepStrictEqual(tried(), [
          [0, 1],
          [0, 2],
          [1, 1],
          [2, 1]
        ])
      })
  )
})
