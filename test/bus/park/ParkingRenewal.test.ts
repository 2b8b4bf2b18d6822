/** Parked events through many lives of their processes: no count of returns grows on the broker (P3, P6). */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schedule } from "effect"
import type { Broker } from "../../../src/bus/port/Broker.ts"
import type { Entry } from "../../../src/ports/conformance/setup/HandlerLedger.ts"
import { fresh, keyed, upTo } from "../../../src/ports/conformance/setup/TestEvents.ts"
import * as Stage from "../Stage.ts"
import { failingSubscriber, isRising, killableProcess, losingConfirmsFrom, pairs } from "./ParkingStage.ts"

/** Notes how often each delivery of a parked queue came back, and what was sent there. */
const watching = (override: (broker: Broker["Service"]) => Partial<Broker["Service"]> = () => ({})) => {
  const counts: Array<number> = []
  return {
    counts,
    override: (broker: Broker["Service"]): Partial<Broker["Service"]> => ({
      ...override(broker),
      consume: (options) =>
        broker.consume({
          ...options,
          onDelivery: (delivery) => {
            if (options.queue === "parked") counts.push(delivery.deliveryCount)
            options.onDelivery(delivery)
          }
        })
    })
  }
}

/** Parks 20 events of 4 keys, whose heads fail while `open` says so. */
const parkingSubscriber = () => {
  const Changed = keyed()
  const handled: Array<{ readonly n: number; readonly k: string }> = []
  const gate = { isShut: true }
  const options = {
    events: [Changed],
    ordering: "key",
    onBlocked: "park",
    prefetch: 50,
    retry: Schedule.spaced("20 minutes"),
    handler: ({ data: { k = "", n } }: Entry["event"]) =>
      Effect.suspend(() => {
        if (gate.isShut) return Effect.fail("not now")
        handled.push({ k, n })
        return Effect.void
      })
  } as const
  return { Changed, gate, handled, options }
}
const total = 20
const events = upTo(total).map((n) => ({ n, k: `k${n % 4}` }))

const assertAllInOrder = (handled: ReadonlyArray<{ readonly n: number; readonly k: string }>) => {
  assert.deepStrictEqual(
    handled.map(({ n }) => n).toSorted((a, b) => a - b),
    upTo(total)
  )
  for (const k of upTo(4)) {
    const lane = handled.filter((event) => event.k === `k${k}`).map(({ n }) => n)
    assert.isTrue(isRising(lane), `out of order: ${lane}`)
  }
}

describe("parking", () => {
  for (const end of ["killed", "stopped"] as const)
    it.effect(`P3, P6: parked events never come back twice, however often their process is ${end}`, () =>
      Effect.gen(function* () {
        const stage = yield* Stage.make
        const name = fresh()
        const { Changed, gate, handled, options } = parkingSubscriber()
        const { counts, override } = watching()
        for (let life = 0; life < 12; life++) {
          const one = yield* killableProcess(stage.server, override)
          const subscription = yield* one.subscribe(name, options)
          if (life === 0) yield* stage.bus.publishAll(Changed, events)
          yield* Stage.pass(Stage.seconds(40), 500)
          assert.strictEqual((yield* subscription.stats).parked, total)
          yield* end === "killed" ? one.kill : Effect.andThen(Effect.forkChild(one.stop), Stage.pass(2_000, 100))
        }
        assert.isAtMost(Math.max(...counts), 1)
        assert.include(counts, 1)
        gate.isShut = false
        const last = yield* killableProcess(stage.server, override)
        yield* last.subscribe(name, options)
        yield* Stage.pass(Stage.minutes(21), Stage.seconds(30))
        assertAllInOrder(handled)
        assert.strictEqual(yield* stage.letters.count(name), 0)
      })
    )

  it.effect("P3, P6: a process that dies while it stores parked events anew loses none and runs none twice", () =>
    Effect.gen(function* () {
      const stage = yield* Stage.make
      const name = fresh()
      const { Changed, gate, handled, options } = parkingSubscriber()
      const one = yield* killableProcess(stage.server)
      yield* one.subscribe(name, options)
      yield* stage.bus.publishAll(Changed, events)
      yield* Stage.pass(Stage.seconds(40), 500)
      yield* one.kill
      for (const confirmed of [0, 5]) {
        // They are stored, but only the first confirms arrive.
        const lossy = losingConfirmsFrom(confirmed + 1)
        const { counts, override } = watching(lossy.override)
        const dying = yield* killableProcess(stage.server, override)
        yield* dying.subscribe(name, options)
        yield* Stage.pass(Stage.seconds(40), 500)
        assert.isAtLeast(lossy.copies(), 1)
        assert.isAtLeast(Math.max(...counts), 1)
        yield* dying.kill
        yield* lossy.cut
      }
      gate.isShut = false
      const last = yield* killableProcess(stage.server)
      const subscription = yield* last.subscribe(name, options)
      yield* Stage.pass(Stage.minutes(21), Stage.seconds(30))
      assertAllInOrder(handled)
      assert.strictEqual((yield* subscription.stats).parked, 0)
      assert.strictEqual(yield* stage.letters.count(name), 0)
    })
  )

  it.effect("R1: a process that loses its line while it stores parked events anew holds nothing of before", () =>
    Effect.gen(function* () {
      const stage = yield* Stage.make
      const name = fresh()
      const { Changed, gate, handled, options } = parkingSubscriber()
      const one = yield* killableProcess(stage.server)
      yield* one.subscribe(name, options)
      yield* stage.bus.publishAll(Changed, events)
      yield* Stage.pass(Stage.seconds(40), 500)
      yield* one.kill
      const lossy = losingConfirmsFrom(1)
      const other = yield* killableProcess(stage.server, lossy.override)
      const subscription = yield* other.subscribe(name, options)
      // The copies are here, and their confirms are not.
      yield* Stage.pass(Stage.seconds(2), 100)
      assert.isAtLeast(lossy.copies(), 1)
      stage.server.disconnect("stored")
      yield* lossy.cut
      yield* Stage.pass(Stage.seconds(1), 100)
      stage.server.reconnect()
      yield* Stage.pass(Stage.minutes(2), 500)
      const { held, parked } = yield* subscription.stats
      assert.deepStrictEqual([held, parked], [total, total])
      gate.isShut = false
      yield* Stage.pass(Stage.minutes(21), Stage.seconds(30))
      assertAllInOrder(handled)
      assert.strictEqual((yield* subscription.stats).held, 0)
    })
  )

  it.effect("P3: a parked event that kills its process is found although it is stored anew in between", () =>
    Effect.gen(function* () {
      const stage = yield* Stage.make
      const name = fresh()
      const { Changed, options } = failingSubscriber((n, attempt) => n === 0 && attempt === 1)
      let alive = false
      let deaths = 0
      const begin = Effect.gen(function* () {
        const one = yield* killableProcess(stage.server)
        alive = true
        const kill = Effect.suspend(() => {
          alive = false
          deaths++
          return one.kill
        })
        yield* one.subscribe(name, {
          ...options,
          handler: (event: Entry["event"], info: Entry["info"]) =>
            event.data.n === 0 && info.attempt > 1
              ? Effect.andThen(Effect.forkDetach(kill), Effect.never)
              : Effect.suspend(() => options.handler(event, info))
        })
      })
      yield* begin
      yield* stage.bus.publishAll(Changed, pairs(3))
      for (let round = 0; round < 60 && (yield* stage.letters.count(name)) === 0; round++) {
        if (!alive) yield* begin
        yield* Stage.pass(Stage.minutes(1), Stage.seconds(5))
      }
      const letters = yield* stage.letters.list(name)
      assert.deepStrictEqual(
        letters.map(({ body, reason }) => [reason, JSON.parse(body.toString()).data.n]),
        [["CrashLoop", 0]]
      )
      assert.isAtMost(deaths, 9)
    })
  )
})
