/** When the write-behind of the Redis cache sends, and when it gives up. In virtual time, without Redis. */
import { assert, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Metric, Scope } from "effect"
import { TestClock } from "effect/testing"
import type { CacheEntry } from "../../../src/bus/port/CacheStore.ts"
import { CurrentShutdown } from "../../../src/bus/support/Shutdown.ts"
import type { PendingWrite } from "../../../src/redis/cache/PendingWrite.ts"
import type { WriteOutcome } from "../../../src/redis/cache/WriteOutcome.ts"
import * as WriteBehind from "../../../src/redis/cache/WriteBehind.ts"

const entry = (number: number, key = "k"): CacheEntry => ({
  event: "a.b",
  key,
  id: `id-${number}`,
  time: 1_000_000,
  body: Buffer.alloc(10),
  settings: {}
})

/** A writer over a Redis that takes a batch when the test lets it. */
const scene = Effect.gen(function* () {
  const batches: Array<ReadonlyArray<PendingWrite>> = []
  const state: { hopeless: boolean; answer: Effect.Effect<ReadonlyArray<WriteOutcome>> } = {
    hopeless: false,
    answer: Effect.succeed([])
  }
  const scope = yield* Scope.make()
  const writer = yield* WriteBehind.make({
    send: (batch) =>
      Effect.suspend(() => {
        batches.push(batch)
        return state.answer
      }),
    hopeless: () => state.hopeless
  }).pipe(Scope.provide(scope))
  return { writer, batches, state, close: Scope.close(scope, Exit.void) }
})
const taken = Effect.succeed(Array.from({ length: 5_000 }, (): WriteOutcome => "written"))

it.effect("writes within 20 ms are one batch, many writes are one at once, and batches go one at a time", () =>
  Effect.gen(function* () {
    const { batches, state, writer } = yield* scene
    state.answer = Effect.delay(taken, 50)
    yield* TestClock.adjust(1)
    for (let n = 0; n < 1_000; n++) writer.write(entry(n, `k${n}`))
    yield* TestClock.adjust(1)
    assert.deepStrictEqual([batches.length, batches[0]?.length], [1, 1_000])
    for (let n = 0; n < 10; n++) {
      writer.write(entry(n))
      yield* TestClock.adjust(1)
    }
    assert.strictEqual(batches.length, 1)
    yield* TestClock.adjust(50)
    assert.strictEqual(batches.length, 1)
    for (let n = 0; n < 5; n++) writer.write(entry(n))
    yield* TestClock.adjust(20)
    assert.deepStrictEqual([batches.length, batches[1]?.length], [2, 15])
    yield* TestClock.adjust(50)
    assert.deepInclude(writer.counts(), { written: 1_015, buffered: 0 })
  })
)

it.effect("S2, P12: closing takes its part of the drain time; lost events are counted, also by a metric", () =>
  Effect.gen(function* () {
    const { close, state, writer } = yield* scene
    state.answer = Effect.never
    for (let n = 0; n < 7; n++) writer.write(entry(n))
    yield* TestClock.adjust(1)
    const closing = yield* Effect.forkChild(close, { startImmediately: true })
    yield* TestClock.adjust(799)
    assert.isUndefined(closing.pollUnsafe())
    yield* TestClock.adjust(1)
    yield* Fiber.join(closing)
    writer.write(entry(8))
    assert.strictEqual(writer.counts().dropped, 8)
    const dropped = (yield* Metric.snapshot).find(({ id }) => id === "eventbus.cache.dropped")
    assert.deepInclude(dropped?.state, { count: 8 })
  }).pipe(
    Effect.provideService(CurrentShutdown, { cutOff: false, budget: 10_000 }),
    Effect.provideService(Metric.MetricRegistry, new Map())
  )
)

it.effect("closing writes what waits, and does not wait for a Redis that is known to be down", () =>
  Effect.gen(function* () {
    const fine = yield* scene
    fine.state.answer = taken
    for (let n = 0; n < 5_000; n++) fine.writer.write(entry(n))
    yield* fine.close
    const { buffered, dropped, superseded, written } = fine.writer.counts()
    assert.deepStrictEqual([written + superseded, dropped, buffered], [5_000, 0, 0])
    // One key has one last event, and a history of a hundred.
    assert.isBelow(written, 2_000)
    const gone = yield* scene
    gone.state.hopeless = true
    gone.writer.write(entry(1))
    yield* gone.close
    assert.strictEqual(gone.writer.counts().dropped, 1)
  })
)
