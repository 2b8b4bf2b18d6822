/** When a batch runs, which events it has, and how each event of a failed batch is settled (P3, P6, P7, P10, P12). */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Layer, Schedule, Scope } from "effect"
import * as Batch from "../../../src/bus/subscriber/Batch.ts"
import * as MemoryBroker from "../../../src/memory/MemoryBroker.ts"
import * as MemoryCache from "../../../src/memory/MemoryCache.ts"
import type { Entry } from "../../../src/ports/conformance/setup/HandlerLedger.ts"
import { fresh, keyed, numbered, numbers, upTo } from "../../../src/ports/conformance/setup/TestEvents.ts"
import { processOver, start } from "../../../src/ports/conformance/setup/BusProcess.ts"
import * as Stage from "../Stage.ts"

/** A subscriber that has handled its first event: a consumer begins with one delivery at a time. */
const batching = Effect.fnUntraced(function* <Err>(
  size: number,
  within: `${number} seconds`,
  handler: (events: ReadonlyArray<Entry["event"]>) => Effect.Effect<unknown, Err>,
  more: { readonly concurrency?: number; readonly prefetch?: number; readonly deadline?: `${number} seconds` } = {}
) {
  const stage = yield* Stage.make
  const Happened = numbered()
  const name = fresh()
  const batches: Array<ReadonlyArray<number>> = []
  const subscription = yield* stage.bus.subscribe(name, {
    events: [Happened],
    batch: { size, maxWait: within },
    retry: Schedule.spaced("100 millis").pipe(Schedule.upTo({ times: 2 })),
    ...more,
    handler: (events) =>
      Effect.suspend(() => {
        const found = events.map(({ data: { n } }) => n)
        if (found[0] === -1) return Effect.void
        batches.push(found)
        return handler(events)
      })
  })
  const publish = (count: number, from = 0) => stage.bus.publishAll(Happened, numbers(count, from))
  yield* publish(1, -1)
  yield* Stage.pass(Stage.seconds(60), 1_000)
  return { ...stage, Happened, name, batches, subscription, publish }
})

describe("batches", () => {
  it.effect("run when they are full, or when their time is up since the first event", () =>
    Effect.gen(function* () {
      const { batches, publish } = yield* batching(4, "2 seconds", () => Effect.void)
      yield* publish(4)
      yield* Stage.turns
      assert.deepStrictEqual(batches, [[0, 1, 2, 3]])
      yield* publish(1, 4)
      yield* Stage.pass(1_500, 100)
      yield* publish(1, 5)
      yield* Stage.pass(400, 100)
      assert.lengthOf(batches, 1)
      yield* Stage.pass(200, 100)
      assert.deepStrictEqual(batches.slice(1), [[4, 5]])
    })
  )

  it.effect("a batch that is due goes on collecting while another one runs", () =>
    Effect.gen(function* () {
      const { batches, publish } = yield* batching(10, "1 seconds", () => Effect.sleep("5 seconds"))
      yield* publish(1)
      yield* Stage.pass(1_100, 100)
      assert.deepStrictEqual(batches, [[0]])
      yield* publish(2, 1)
      yield* Stage.pass(2_000, 100)
      yield* publish(2, 3)
      yield* Stage.pass(3_000, 100)
      assert.deepStrictEqual(batches.slice(1), [[1, 2, 3, 4]])
    })
  )

  it.effect("P5: as many batches as the concurrency run at once, each of them full", () =>
    Effect.gen(function* () {
      let running = 0
      let most = 0
      const { batches, publish, subscription } = yield* batching(
        5,
        "1 seconds",
        () =>
          Effect.acquireUseRelease(
            Effect.sync(() => (most = Math.max(most, ++running))),
            () => Effect.sleep("1 second"),
            () => Effect.sync(() => running--)
          ),
        { concurrency: 3 }
      )
      yield* publish(60)
      yield* Stage.pass(Stage.seconds(10), 100)
      assert.strictEqual(most, 3)
      assert.isTrue(batches.every(({ length }) => length === 5))
      assert.deepInclude(yield* subscription.stats, { handled: 61, held: 0 })
    })
  )

  it.effect("P10, P7: a batch that misses its deadline has failed with all of its events, and is retried", () =>
    Effect.gen(function* () {
      let calls = 0
      const { batches, letters, name, publish, subscription } = yield* batching(
        3,
        "1 seconds",
        () => (++calls === 1 ? Effect.never : Effect.void),
        { deadline: "5 seconds" }
      )
      yield* publish(3)
      yield* Stage.pass(4_900, 100)
      assert.strictEqual((yield* subscription.stats).retried, 0)
      yield* Stage.pass(3_000, 100)
      assert.deepInclude(yield* subscription.stats, { handled: 4, retried: 3, held: 0 })
      assert.deepStrictEqual(
        batches.map((batch) => batch.toSorted()),
        [
          [0, 1, 2],
          [0, 1, 2]
        ]
      )
      assert.deepStrictEqual(yield* letters.list(name), [])
    })
  )

  it.effect("P10: a batch that ignores its deadline frees its place; its events are retried and settled once", () =>
    Effect.gen(function* () {
      let calls = 0
      const { publish, subscription } = yield* batching(
        2,
        "1 seconds",
        () => (++calls === 1 ? Effect.uninterruptible(Effect.sleep("3 minutes")) : Effect.void),
        { deadline: "5 seconds" }
      )
      yield* publish(2)
      yield* Stage.pass(Stage.seconds(20), 100)
      assert.deepInclude(yield* subscription.stats, { handled: 1, retried: 0, inFlight: 2 })
      yield* Stage.pass(Stage.seconds(10), 100)
      yield* publish(2, 2)
      yield* Stage.pass(Stage.seconds(5), 100)
      assert.deepInclude(yield* subscription.stats, { handled: 5, retried: 2, zombies: 2 })
      yield* Stage.pass(Stage.minutes(5), 1_000)
      assert.deepInclude(yield* subscription.stats, { handled: 5, held: 0, deadLettered: 0, zombies: 0 })
    })
  )

  it.effect("P7: a failure that names an event outside of the batch fails every event of the batch", () =>
    Effect.gen(function* () {
      const { letters, name, publish } = yield* batching(2, "1 seconds", () =>
        Effect.fail(Batch.BatchFailure.of([{ event: "not in it", error: "no" }]))
      )
      yield* publish(2)
      yield* Stage.pass(Stage.seconds(10), 100)
      const found = yield* letters.list(name)
      assert.lengthOf(found, 2)
      assert.match(found[0]?.error.message ?? "", /"not in it".*not in its batch/)
    })
  )

  it.effect(
    "P7: a defect beside a failure of one event: that event has its own error, the others have the defect",
    () =>
      Effect.gen(function* () {
        const { letters, name, publish } = yield* batching(3, "1 seconds", ([first]) =>
          first === undefined
            ? Effect.void
            : Effect.failCause(
                Cause.combine(
                  Cause.fail(Batch.BatchFailure.of([{ event: first, error: "its own" }])),
                  Cause.die(new Error("the pool is gone"))
                )
              )
        )
        yield* publish(3)
        yield* Stage.pass(Stage.seconds(20), 100)
        const found = (yield* letters.list(name)).map(({ error }) => error.message)
        assert.lengthOf(found, 3)
        assert.include(found, "the pool is gone")
        assert.include(found, "its own")
      })
  )

  it.effect("P12: a stopped batch is given back whole: no attempt has failed and no event is lost", () =>
    Effect.gen(function* () {
      const { Happened, batches, bus, name, publish, subscription } = yield* batching(
        3,
        "1 seconds",
        () => Effect.never
      )
      yield* publish(3)
      yield* Stage.turns
      assert.lengthOf(batches, 1)
      yield* subscription.stop
      assert.deepInclude(yield* subscription.stats, { handled: 1, retried: 0, returns: 3 })
      const again: Array<readonly [number, number]> = []
      yield* bus.subscribe(name, {
        events: [Happened],
        handler: ({ data: { n } }, { attempt }) => Effect.sync(() => void again.push([n, attempt]))
      })
      yield* Stage.pass(Stage.seconds(2), 100)
      assert.deepStrictEqual(again.toSorted(), [
        [0, 1],
        [1, 1],
        [2, 1]
      ])
    })
  )

  it.effect("C11: an event that kills its process is found alone; the rest of its batch is handled", () =>
    Effect.gen(function* () {
      const stage = yield* Stage.make
      const Happened = numbered()
      const name = fresh()
      const handled: Array<number> = []
      let alive = false
      const begin = Effect.gen(function* () {
        const connection = yield* Scope.make()
        const broker = yield* Layer.buildWithScope(
          MemoryBroker.layerOf(stage.server, { namespace: "test" }),
          connection
        )
        const ports = Layer.merge(Layer.succeedContext(broker), MemoryCache.layer)
        const { subscribe } = yield* Stage.runningOut(start(processOver(ports)))
        alive = true
        const die = Effect.suspend(() => {
          alive = false
          return Scope.close(connection, Exit.void)
        })
        yield* subscribe(name, {
          events: [Happened],
          batch: { size: 10, maxWait: "1 second" },
          handler: (events) =>
            Effect.suspend(() => {
              if (events.some(({ data: { n } }) => n === 7)) return Effect.andThen(Effect.forkDetach(die), Effect.never)
              handled.push(...events.map(({ data: { n } }) => n))
              return Effect.void
            })
        })
      })
      yield* begin
      yield* stage.bus.publishAll(Happened, numbers(20))
      for (let round = 0; round < 100 && (yield* stage.letters.count(name)) === 0; round++) {
        if (!alive) yield* begin
        yield* Stage.pass(Stage.seconds(5), 500)
      }
      yield* Stage.pass(Stage.seconds(30), 500)
      const found = (yield* stage.letters.list(name)).map(({ body, reason }) => [
        reason,
        JSON.parse(body.toString()).data.n
      ])
      assert.deepStrictEqual(found, [["CrashLoop", 7]])
      assert.deepStrictEqual(
        [...new Set(handled)].toSorted((a, b) => a - b),
        upTo(20).filter((n) => n !== 7)
      )
    })
  )

  it.effect("options that cannot work fail with their name", () =>
    Effect.gen(function* () {
      const { bus } = yield* Stage.make
      const Changed = keyed()
      const problem = (batch: { size: number; maxWait: `${number} minutes` }, more: { prefetch?: number } = {}) =>
        Effect.map(
          Effect.flip(bus.subscribe(fresh(), { events: [Changed], batch, ...more, handler: () => Effect.void })),
          ({ message }) => message
        )
      assert.match(yield* problem({ size: 0, maxWait: "1 minutes" }), /batch.*size of 0/)
      assert.match(yield* problem({ size: 10_001, maxWait: "1 minutes" }), /batch.*size of 10001/)
      assert.match(yield* problem({ size: 5, maxWait: "6 minutes" }), /batch.*maxWait/)
      assert.match(yield* problem({ size: 5, maxWait: "0 minutes" }), /batch.*maxWait/)
      assert.match(yield* problem({ size: 50, maxWait: "1 minutes" }, { prefetch: 49 }), /batch of 50.*prefetch of 49/)
    })
  )
})
