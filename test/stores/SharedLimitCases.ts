/** Effect's rate limiter and circuit breaker over a shared store. Run on each store by EffectStoreCases.ts. */
import { assert } from "@effect/vitest"
import { Deferred, Duration, Effect, Exit, Fiber, Schedule } from "effect"
import * as CircuitBreaker from "effect/persistence/CircuitBreaker"
import * as RateLimiter from "effect/persistence/RateLimiter"

import { fresh, until } from "./StoreValues.ts"
import type { StoreIt } from "./EffectStoreCases.ts"

export const sharedLimitCases = (it: StoreIt): void => {
  it.effect("RateLimiter: one limit for all processes on the store, in windows and in buckets", () =>
    Effect.gen(function* () {
      const [here, there] = [yield* RateLimiter.make, yield* RateLimiter.make]
      for (const algorithm of ["fixed-window", "token-bucket"] as const) {
        const options = { key: `${fresh()} {x}`, limit: 5, window: "1 hour", algorithm } as const
        for (const limiter of [here, there, here, there, here]) {
          assert.isTrue(Duration.isZero((yield* limiter.consume({ ...options, onExceeded: "delay" })).delay))
        }
        const { reason } = yield* Effect.flip(there.consume({ ...options, onExceeded: "fail" }))
        if (reason._tag !== "RateLimitExceeded") return assert.fail(reason._tag)
        assert.deepInclude(reason, { limit: 5, key: options.key })
        const millis = Duration.toMillis(reason.retryAfter)
        assert.isTrue(millis > 0 && millis <= 3_600_000, String(millis))
        const later = yield* here.consume({ ...options, onExceeded: "delay" })
        assert.isTrue(Duration.toMillis(later.delay) > 0)
        // The limit of another service.
        yield* here.consume({ ...options, key: fresh(), onExceeded: "fail" })
      }
      const short = { key: fresh(), limit: 1, window: "50 millis", onExceeded: "fail" } as const
      yield* here.consume(short)
      yield* until(Effect.map(Effect.exit(there.consume(short)), Exit.isSuccess))
    })
  )

  it.effect("RateLimiter: adapts to the limit of the other side", () =>
    Effect.gen(function* () {
      const store = yield* RateLimiter.RateLimiterStore
      const options = { key: fresh(), tokens: 1, fallbackLimit: 10, fallbackWindow: Duration.minutes(1) }
      assert.strictEqual((yield* store.adaptiveConsume(options)).phase, "inactive")
      yield* store.adaptiveFeedback({ ...options, epoch: 0, status: 429, retryAfter: Duration.hours(1) })
      const cooling = yield* store.adaptiveConsume(options)
      assert.strictEqual(cooling.phase, "cooldown")
      assert.isTrue(Duration.toMillis(cooling.delay) > 0)
      const short = { ...options, key: fresh() }
      assert.strictEqual((yield* store.adaptiveConsume(short)).phase, "inactive")
      yield* store.adaptiveFeedback({ ...short, epoch: 0, status: 429, retryAfter: Duration.millis(40) })
      yield* until(Effect.map(store.adaptiveConsume(short), ({ phase }) => phase === "learning"))
    })
  )

  it.effect("CircuitBreaker: opens for all processes on the store, probes with one call, closes", () =>
    Effect.gen(function* () {
      const key = `${fresh()} {x}`
      const join = (openDuration: Duration.Input) =>
        CircuitBreaker.make({ tripPolicy: CircuitBreaker.consecutive(3), openDuration, onStoreError: "fail" })
      const [long, elsewhere] = [yield* join("1 hour"), yield* join("1 hour")]
      for (let n = 0; n < 3; n++) yield* Effect.exit(long.execute(Effect.fail("down"), { key: `${key} long` }))
      const refusal = yield* Effect.flip(elsewhere.execute(Effect.void, { key: `${key} long` }))
      assert.strictEqual(refusal.reason._tag, "CircuitOpen")
      assert.strictEqual((yield* long.state(`${key} long`))._tag, "Open")
      const [here, there] = [yield* join("100 millis"), yield* join("100 millis")]
      for (let n = 0; n < 3; n++) {
        assert.strictEqual(yield* Effect.flip(here.execute(Effect.fail("down"), { key })), "down")
      }
      yield* there.execute(Effect.void, { key: fresh() })
      const [entered, leave] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
      const work = Effect.andThen(Deferred.succeed(entered, undefined), Deferred.await(leave))
      const probe = yield* Effect.forkChild(Effect.retry(here.execute(work, { key }), Schedule.spaced(5)))
      yield* Deferred.await(entered)
      assert.strictEqual((yield* Effect.flip(there.execute(Effect.void, { key }))).reason._tag, "CircuitHalfOpen")
      yield* Deferred.succeed(leave, undefined)
      yield* Fiber.join(probe)
      assert.strictEqual((yield* there.state(key))._tag, "Closed")
      yield* there.execute(Effect.void, { key })
    })
  )

  it.effect("CircuitBreaker: trips by a rate of failures", () =>
    Effect.gen(function* () {
      const key = fresh()
      const tripPolicy = CircuitBreaker.rate({ threshold: 0.5, size: 4, minimumCalls: 4 })
      const breaker = yield* CircuitBreaker.make({ tripPolicy, openDuration: "1 hour", onStoreError: "fail" })
      for (const work of [Effect.void, Effect.fail("a"), Effect.void]) {
        yield* Effect.exit(breaker.execute(work, { key }))
        assert.strictEqual((yield* breaker.state(key))._tag, "Closed")
      }
      yield* Effect.exit(breaker.execute(Effect.fail("b"), { key }))
      assert.strictEqual((yield* breaker.state(key))._tag, "Open")
    })
  )
}
