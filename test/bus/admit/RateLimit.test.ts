/** A rate limit bounds the attempts in a window, of one process or of all that share a store. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Layer, Schedule } from "effect"
import * as RateLimiter from "effect/persistence/RateLimiter"
import { fresh, keyed, upTo } from "../../../src/ports/conformance/setup/TestEvents.ts"
import * as Stage from "../Stage.ts"

const rateLimit = { limit: 10, window: "10 seconds" } as const

for (const ordering of ["none", "key"] as const) {
  describe(`rate limit, ordering "${ordering}"`, () => {
    it.effect("P3: events beyond it wait for their turn; none is lost, returned, or charged an attempt", () =>
      Effect.gen(function* () {
        const { bus, letters } = yield* Stage.make
        const Changed = keyed()
        const name = fresh()
        const times: Array<number> = []
        const handled: Array<number> = []
        const subscription = yield* bus.subscribe(name, {
          events: [Changed],
          ordering,
          rateLimit,
          retry: Schedule.recurs(0),
          handler: ({ data: { n } }, { attempt }) =>
            Effect.map(Clock.currentTimeMillis, (now) => {
              assert.strictEqual(attempt, 1)
              times.push(now)
              handled.push(n)
            })
        })
        const data = upTo(50).map((n) => ({ n, k: `k${n % 7}` }))
        yield* Effect.forkChild(bus.publishAll(Changed, data), { startImmediately: true })
        yield* Stage.pass(80_000, 250)
        assert.deepStrictEqual(
          handled.toSorted((a, b) => a - b),
          upTo(50)
        )
        for (const [at, time] of times.entries()) {
          const within = times.slice(at).filter((other) => other - time < 10_000).length
          // A full bucket lets through its content and what flows in meanwhile.
          assert.isAtMost(within, 20, `${within} within ten seconds from ${time}`)
        }
        assert.isAtLeast((times.at(-1) ?? 0) - (times[0] ?? 0), 38_000)
        assert.deepInclude(yield* subscription.stats, { returns: 0, retried: 0, held: 0 })
        assert.deepStrictEqual(yield* letters.list(name), [])
        if (ordering === "key") {
          for (const key of upTo(7)) {
            const lane = handled.filter((n) => n % 7 === key)
            assert.deepStrictEqual(
              lane,
              lane.toSorted((a, b) => a - b)
            )
          }
        }
      })
    )

    it.effect("P12: it drains while events wait for their turn", () =>
      Effect.gen(function* () {
        const { broker, bus } = yield* Stage.make
        const Changed = keyed()
        const name = fresh()
        const subscription = yield* bus.subscribe(name, {
          events: [Changed],
          ordering,
          rateLimit,
          handler: () => Effect.void
        })
        const data = upTo(50).map((n) => ({ n, k: `k${n % 7}` }))
        yield* Effect.forkChild(bus.publishAll(Changed, data), { startImmediately: true })
        yield* Stage.pass(1_000, 100)
        const { handled } = yield* subscription.stats
        assert.isTrue(yield* subscription.drain)
        assert.strictEqual((yield* broker.depth(name)).ready, 50 - handled)
      })
    )
  })
}

describe("rate limit", () => {
  it.effect("processes that share a store share one limit", () =>
    Effect.gen(function* () {
      const { bus } = yield* Stage.make
      const Changed = keyed()
      const name = fresh()
      let handled = 0
      const handler = () => Effect.sync(() => void handled++)
      for (const _ of upTo(4)) yield* bus.subscribe(name, { events: [Changed], rateLimit, handler })
      const data = upTo(100).map((n) => ({ n, k: "k" }))
      yield* Effect.forkChild(bus.publishAll(Changed, data), { startImmediately: true })
      yield* Stage.pass(900, 100)
      assert.strictEqual(handled, 10)
      yield* Stage.pass(10_000, 100)
      assert.isAtMost(handled, 21)
      assert.isAtLeast(handled, 18)
    }).pipe(Effect.provide(Layer.fresh(RateLimiter.layerStoreMemory)))
  )

  it.effect("a limit that cannot work fails with the remedy", () =>
    Effect.gen(function* () {
      const { bus } = yield* Stage.make
      const handler = () => Effect.void
      for (const rateLimit of [
        { limit: 0, window: "1 second" },
        { limit: 1, window: 0 },
        { limit: Number.NaN, window: "1 second" }
      ] as const) {
        const error = yield* Effect.flip(bus.subscribe(fresh(), { events: [keyed()], rateLimit, handler }))
        assert.include(error.message, "rateLimit")
      }
    })
  )
})
