/** What a handler calls is away for ten minutes: by default every event keeps its retries, its order and its key (P3, P5, P6). */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schedule } from "effect"
import { BrokerError } from "../../../src/bus/port/BrokerError.ts"
import { PermissionDenied } from "../../../src/bus/port/BrokerReason.ts"
import { fresh, keyed, upTo } from "../../../src/ports/conformance/setup/TestEvents.ts"
import { makeLedger, numbersOfKey, type Entry } from "../../../src/ports/conformance/setup/HandlerLedger.ts"
import { killableProcess } from "../park/ParkingStage.ts"
import * as Stage from "../Stage.ts"

/** A handler that fails for every key but "well" while what it calls is away. */
const dependent = () => {
  const ledger = makeLedger()
  let isAway = true
  return {
    ledger,
    comesBack: () => {
      isAway = false
    },
    handler: (event: Entry["event"], info: Entry["info"]) =>
      isAway && event.key !== "well" ? Effect.fail("away") : ledger.handler(event, info)
  }
}

const retry = Schedule.spaced("1 minute").pipe(Schedule.upTo({ duration: "1 hour" }))

describe("an outage of what handlers call", () => {
  for (const { count, keys, ...options } of [
    { count: 400, keys: 1 },
    { count: 600, keys: 20 },
    { count: 600, keys: 20, prefetch: 20 },
    { count: 30, keys: 3, prefetch: 1 }
  ])
    it.effect(
      `P3, P5, P6, N8: ${count} events of ${keys} keys keep their retries, and others go on; ${JSON.stringify(options)}`,
      () =>
        Effect.gen(function* () {
          const { bus, letters } = yield* Stage.make
          const Changed = keyed()
          const name = fresh()
          const play = dependent()
          const subscription = yield* bus.subscribe(name, {
            events: [Changed],
            ordering: "key",
            retry,
            handler: play.handler,
            ...options
          })
          const events = upTo(count).map((n) => ({ n, k: `k${n % keys}` }))
          yield* Effect.forkChild(bus.publishAll(Changed, events), { startImmediately: true })
          yield* Stage.pass(Stage.minutes(9), 30_000)
          assert.deepStrictEqual(play.ledger.numbers(), [])
          yield* Effect.forkChild(bus.publish(Changed, { n: count, k: "well" }), { startImmediately: true })
          yield* Stage.pass(1_000, 500)
          assert.deepStrictEqual(play.ledger.numbers(), [count])
          play.comesBack()
          yield* Stage.pass(Stage.minutes(3), 10_000)
          for (const k of upTo(keys))
            assert.deepStrictEqual(
              numbersOfKey(play.ledger.entries, `k${k}`),
              events.filter((event) => event.k === `k${k}`).map(({ n }) => n)
            )
          assert.deepStrictEqual(yield* letters.list(name), [])
          assert.deepInclude(yield* subscription.stats, {
            held: 0,
            parked: 0,
            lanes: 0,
            handled: count + 1,
            returns: 0
          })
        })
    )

  it.effect("P3, P5, N8: where no key can be parked, each waits in its lane within the bounds of that lane", () =>
    Effect.gen(function* () {
      const stage = yield* Stage.make
      const Changed = keyed()
      const name = fresh()
      const play = dependent()
      const { subscribe } = yield* killableProcess(stage.server, (broker) => ({
        declare: (spec) =>
          spec.parking === true
            ? Effect.fail(
                new BrokerError({
                  reason: new PermissionDenied({ entity: "exchange test.parked (write)", username: "service" })
                })
              )
            : broker.declare(spec)
      }))
      yield* subscribe(name, { events: [Changed], ordering: "key", prefetch: 8, retry, handler: play.handler })
      const events = [..."aabbccdd"].map((k, n) => ({ n, k }))
      yield* Effect.forkChild(stage.bus.publishAll(Changed, events), { startImmediately: true })
      yield* Stage.pass(Stage.minutes(8), 30_000)
      assert.deepStrictEqual(yield* stage.letters.list(name), [])
      play.comesBack()
      yield* Stage.pass(Stage.minutes(2), 10_000)
      for (const k of "abcd")
        assert.deepStrictEqual(
          numbersOfKey(play.ledger.entries, k),
          events.filter((event) => event.k === k).map(({ n }) => n)
        )
    })
  )
})
