/** Events that kill their process, parked or beside parked ones (P3). */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schedule } from "effect"
import type { Entry } from "../../../src/ports/conformance/setup/HandlerLedger.ts"
import { fresh, keyed, upTo } from "../../../src/ports/conformance/setup/TestEvents.ts"
import * as Stage from "../Stage.ts"
import { failingSubscriber, killableProcess, pairs } from "./ParkingStage.ts"

describe("parking", () => {
  it.effect(
    "C11, P3: a parked event that kills its process is dead-lettered as CrashLoop, and no other event with it",
    () =>
      Effect.gen(function* () {
        const stage = yield* Stage.make
        const Changed = keyed()
        const name = fresh()
        const living = new Set<symbol>()
        const handled: Array<number> = []
        let deaths = 0
        let deadly = false
        const begin = Effect.gen(function* () {
          const self = Symbol("process")
          const one = yield* killableProcess(stage.server)
          living.add(self)
          const kill = Effect.suspend(() => {
            living.delete(self)
            deaths++
            return one.kill
          })
          yield* one.subscribe(name, {
            events: [Changed],
            ordering: "key",
            onBlocked: "park",
            retry: Schedule.spaced("15 minutes"),
            handler: ({ data: { n } }) =>
              Effect.gen(function* () {
                if (n === 0 && deadly) {
                  yield* Effect.forkDetach(kill)
                  return yield* Effect.never
                }
                if (n === 0) return yield* Effect.fail("not now")
                yield* Effect.sleep(5)
                if (living.has(self)) handled.push(n)
              })
          })
        })
        yield* begin
        yield* stage.bus.publishAll(Changed, pairs(10))
        yield* Stage.pass(Stage.seconds(5), 100)
        deadly = true
        yield* stage.bus.publishAll(Changed, pairs(10, "b", 100))
        for (let round = 0; round < 60 && (yield* stage.letters.count(name)) === 0; round++) {
          if (living.size === 0) yield* begin
          yield* Stage.pass(Stage.minutes(1), 5_000)
        }
        yield* Stage.pass(Stage.minutes(1), 1_000)
        const letters = yield* stage.letters.list(name)
        assert.deepStrictEqual(
          letters.map(({ body, reason }) => [reason, JSON.parse(body.toString()).data.n]),
          [["CrashLoop", 0]]
        )
        assert.isAtMost(deaths, 9)
        assert.deepStrictEqual(
          [...new Set(handled)].toSorted((a, b) => a - b),
          [...upTo(9).map((n) => n + 1), ...upTo(10).map((n) => 100 + n)]
        )
      })
  )

  it.effect(
    "C11, P3: an event that kills its process beside parked events is found, and no parked event is blamed for it",
    () =>
      Effect.gen(function* () {
        const stage = yield* Stage.make
        const name = fresh()
        const { Changed, options, tried } = failingSubscriber((n, attempt) => n === 0 && attempt < 2)
        let alive = false
        const begin = Effect.gen(function* () {
          const one = yield* killableProcess(stage.server)
          alive = true
          const kill = Effect.suspend(() => {
            alive = false
            return one.kill
          })
          yield* one.subscribe(name, {
            ...options,
            handler: (event: Entry["event"], info: Entry["info"]) =>
              event.data.n === 50
                ? Effect.andThen(Effect.forkDetach(kill), Effect.never)
                : Effect.suspend(() => options.handler(event, info))
          })
        })
        yield* begin
        yield* stage.bus.publishAll(Changed, pairs(5))
        yield* Stage.pass(Stage.minutes(19) + Stage.seconds(50), Stage.seconds(5))
        yield* stage.bus.publish(Changed, { n: 50, k: "b" })
        for (let round = 0; round < 100 && (yield* stage.letters.count(name)) === 0; round++) {
          if (!alive) yield* begin
          yield* Stage.pass(Stage.seconds(5), 500)
        }
        yield* Stage.pass(Stage.minutes(2), Stage.seconds(1))
        assert.deepStrictEqual(
          (yield* stage.letters.list(name)).map(({ body, reason }) => [reason, JSON.parse(body.toString()).data.n]),
          [["CrashLoop", 50]]
        )
        const lane = [...new Set(tried().map(([n]) => n))]
        assert.deepStrictEqual(lane.map(Number), upTo(5))
      })
  )
})
