/** A keyed subscriber finds the event that kills its process in a window of events, and loses no other event (P3, P6). */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schedule } from "effect"
import { Broker } from "../../../src/bus/port/Broker.ts"
import { BrokerError } from "../../../src/bus/port/BrokerError.ts"
import { PermissionDenied } from "../../../src/bus/port/BrokerReason.ts"
import * as MemoryCache from "../../../src/memory/MemoryCache.ts"
import { fresh, keyed, upTo } from "../../../src/ports/conformance/setup/TestEvents.ts"
import { processOver, start } from "../../../src/ports/conformance/setup/BusProcess.ts"
import { dieWithAll, isRising, killableProcess } from "../park/ParkingStage.ts"
import * as Stage from "../Stage.ts"

interface Scenario {
  readonly events: number
  readonly keys: number
  readonly killers: ReadonlyArray<number>
  /** The event whose handler fails twice before it succeeds. */
  readonly failing: number | undefined
  /** How many other processes stand by, as replicas do. */
  readonly standby: number
}

/** Runs processes one after the other. Each dies when the handler of a killer starts. */
const run = Effect.fnUntraced(function* ({ events, failing, keys, killers, standby }: Scenario) {
  const stage = yield* Stage.make
  const Changed = keyed()
  const name = fresh()
  yield* stage.broker.declare({ name, ordering: "key", patterns: [Changed.name] })
  yield* stage.bus
    .publishAll(
      Changed,
      upTo(events).map((n) => ({ n, k: `k${n % keys}` }))
    )
    .pipe(Effect.forkChild({ startImmediately: true }))
  yield* Stage.turns
  const handled: Array<number> = []
  const living = new Set<symbol>()
  let deaths = 0
  const begin = Effect.gen(function* () {
    const self = Symbol("process")
    const one = yield* killableProcess(stage.server)
    living.add(self)
    const die = Effect.suspend(() => {
      living.delete(self)
      deaths++
      return one.kill
    })
    yield* one.subscribe(name, {
      events: [Changed],
      ordering: "key",
      retry: Schedule.spaced("2 seconds").pipe(Schedule.upTo({ times: 3 })),
      handler: ({ data: { n } }, { attempt }) =>
        Effect.gen(function* () {
          if (killers.includes(n)) {
            yield* Effect.forkDetach(die)
            return yield* Effect.never
          }
          if (n === failing && attempt < 3) return yield* Effect.fail("not yet")
          yield* Effect.sleep(5)
          if (living.has(self)) handled.push(n)
        })
    })
  })
  const harmless = upTo(events).filter((n) => !killers.includes(n))
  for (let round = 0; round < 400; round++) {
    while (living.size <= standby) yield* Effect.all([begin, Stage.pass(200, 20)], { concurrency: "unbounded" })
    yield* Stage.pass(500, 20)
    if (new Set(handled).size === harmless.length && (yield* stage.letters.count(name)) >= killers.length) break
  }
  return { deaths, handled, harmless, letters: yield* stage.letters.list(name, { limit: 1000 }) }
})

/** One event in the queue of a subscriber by key, whose processes ended this often while they held it. */
const returned = Effect.fnUntraced(function* (deaths: number) {
  const stage = yield* Stage.make
  const Changed = keyed()
  const name = fresh()
  yield* stage.broker.declare({ name, ordering: "key", patterns: [Changed.name] })
  yield* stage.bus.publish(Changed, { n: 1, k: "k" }).pipe(Effect.forkChild({ startImmediately: true }))
  yield* Stage.turns
  yield* dieWithAll(stage.broker, name, deaths)
  return { stage, Changed, name }
})

describe("crash guard", () => {
  for (const { failing, keys = 5, killers, standby } of [
    { killers: [7], standby: 0, failing: undefined },
    { killers: [7], standby: 20, failing: undefined },
    { killers: [7, 8, 20], standby: 1, failing: undefined },
    // Each death costs every event of the window a life, and each of them has twenty.
    { killers: upTo(12), standby: 0, failing: undefined },
    { killers: upTo(12).map((n) => n + 9), standby: 1, failing: undefined },
    // All wait behind the first of them.
    { killers: upTo(12), keys: 1, standby: 0, failing: undefined },
    { killers: [9], standby: 0, failing: 2 }
  ]) {
    const waits = failing === undefined ? "" : `, ${failing} waits for its retry`
    it.effect(
      `P3, P6, C11, N6: killers ${killers.join(", ")} of 30 events of ${keys} keys, ${standby} stand by${waits}`,
      () =>
        Effect.gen(function* () {
          const { deaths, handled, harmless, letters } = yield* run({ events: 30, keys, killers, standby, failing })
          assert.deepStrictEqual(
            letters
              .map(({ body, reason }) => [reason, JSON.parse(body.toString()).data.n])
              .toSorted(([, a], [, b]) => a - b),
            killers.map((n) => ["CrashLoop", n]),
            `after ${deaths} deaths`
          )
          assert.isAtMost(deaths, 5 + 3 * killers.length)
          assert.deepStrictEqual(
            [...new Set(handled)].toSorted((a, b) => a - b),
            harmless
          )
          for (const key of upTo(keys)) {
            const lane = [...new Set(handled.filter((n) => n % keys === key))]
            assert.isTrue(isRising(lane), `out of order: ${lane}`)
          }
        })
    )
  }

  it.effect("P3, N6: no handler starts before what was handled is on its way to the broker", () =>
    Effect.gen(function* () {
      const stage = yield* Stage.make
      const Changed = keyed()
      const name = fresh()
      yield* stage.broker.declare({ name, ordering: "key", patterns: [Changed.name] })
      yield* stage.bus
        .publishAll(
          Changed,
          upTo(3).map((n) => ({ n, k: `k${n}` }))
        )
        .pipe(Effect.forkChild({ startImmediately: true }))
      yield* Stage.turns
      yield* dieWithAll(stage.broker, name, 2)
      const handled: Array<number> = []
      /** Acknowledgements that the network has not taken yet. */
      const unsent: Array<() => void> = []
      const slow = Broker.of({
        ...stage.broker,
        consume: (options) =>
          Effect.map(stage.broker.consume(options), (consumer) => ({
            ...consumer,
            flush: (sent) => {
              unsent.push(sent)
              return false
            }
          }))
      })
      const process = yield* start(processOver(Layer.merge(Layer.succeed(Broker, slow), MemoryCache.layer)))
      yield* process.subscribe(name, {
        events: [Changed],
        ordering: "key",
        handler: ({ data: { n } }) => Effect.sync(() => void handled.push(n))
      })
      for (const count of [0, 1, 2]) {
        yield* Stage.pass(1_000)
        assert.deepStrictEqual(handled, upTo(count), "it did not wait")
        assert.strictEqual(unsent.length, 1, "it waits once")
        unsent.pop()?.()
      }
      yield* Stage.pass(1_000)
      assert.deepStrictEqual(handled, upTo(3))
    })
  )

  it.effect("P3, N6: a process that lived through the loss of its consumer judges no event by that", () =>
    Effect.gen(function* () {
      const { Changed, name, stage } = yield* returned(7)
      let starts = 0
      yield* stage.bus.subscribe(name, {
        events: [Changed],
        ordering: "key",
        handler: (): Effect.Effect<void> => (++starts === 1 ? Effect.never : Effect.void)
      })
      yield* Stage.pass(1_000)
      assert.strictEqual(starts, 1)
      stage.server.cancelConsumers(name)
      yield* Stage.pass(5_000, 100)
      assert.strictEqual(starts, 2)
      assert.deepStrictEqual(yield* stage.letters.list(name), [])
    })
  )

  it.effect("P3, N6: a suspect that cannot be parked starts when those of other subscribers had time to leave", () =>
    Effect.gen(function* () {
      const { Changed, name, stage } = yield* returned(5)
      let starts = 0
      const process = yield* killableProcess(stage.server, (broker) => ({
        declare: (spec) => (spec.parking === true ? Effect.fail(denied) : broker.declare(spec))
      }))
      yield* process.subscribe(name, {
        events: [Changed],
        ordering: "key",
        handler: () => Effect.sync(() => void starts++)
      })
      yield* Stage.pass(190, 10)
      assert.strictEqual(starts, 0)
      yield* Stage.pass(20, 10)
      assert.strictEqual(starts, 1)
    })
  )

  it.effect.each([
    { deaths: 12, parks: true, handled: true },
    { deaths: 9, parks: false, handled: true },
    { deaths: 10, parks: false, handled: false }
  ])("P3, N6: held in $deaths deaths, with a parked queue: $parks, the first event is handled: $handled", (given) =>
    Effect.gen(function* () {
      const { deaths, handled, parks } = given
      const { Changed, name, stage } = yield* returned(deaths)
      let starts = 0
      const process = yield* killableProcess(stage.server, (broker) => ({
        declare: (spec) => (spec.parking === true && !parks ? Effect.fail(denied) : broker.declare(spec))
      }))
      yield* process.subscribe(name, {
        events: [Changed],
        ordering: "key",
        handler: () => Effect.sync(() => void starts++)
      })
      yield* Stage.pass(1_000)
      assert.strictEqual(starts, handled ? 1 : 0)
      assert.strictEqual((yield* stage.letters.list(name)).length, handled ? 0 : 1)
    })
  )
})

const denied = new BrokerError({ reason: new PermissionDenied({ entity: "the parked queue", username: "u" }) })
