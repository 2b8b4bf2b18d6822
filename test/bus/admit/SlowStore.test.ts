/** A deadline is about the handler: what a store takes before and after it neither fails an attempt nor repeats one. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schedule } from "effect"
import * as CircuitBreaker from "effect/persistence/CircuitBreaker"
import * as RateLimiter from "effect/persistence/RateLimiter"
import { fresh, keyed, upTo } from "../../../src/ports/conformance/setup/TestEvents.ts"
import { makeLedger } from "../../../src/ports/conformance/setup/HandlerLedger.ts"
import * as Stage from "../Stage.ts"
import { make, type Store, unavailable, whileUp } from "./ClaimStage.ts"

const late = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.delay(effect, "300 millis")

const lateStores = Layer.merge(
  Layer.effect(
    RateLimiter.RateLimiterStore,
    Effect.map(RateLimiter.RateLimiterStore, (store) => ({
      ...store,
      fixedWindow: (asked) => late(store.fixedWindow(asked)),
      tokenBucket: (asked) => late(store.tokenBucket(asked))
    }))
  ).pipe(Layer.provide(RateLimiter.layerStoreMemory)),
  Layer.effect(
    CircuitBreaker.CircuitBreakerStore,
    Effect.map(CircuitBreaker.CircuitBreakerStore, (store) => ({
      ...store,
      admit: (key) => late(store.admit(key)),
      record: (outcome) => late(store.record(outcome))
    }))
  ).pipe(Layer.provide(CircuitBreaker.layerStoreMemory()))
)

const options = { idempotent: true, deadline: "100 millis", retry: Schedule.recurs(1) } as const

for (const ordering of ["none", "key"] as const) {
  describe(`a store slower than the deadline, ordering "${ordering}"`, () => {
    it.effect(
      "P4: a store that answers nothing until its own deadline costs no attempt: every event is handled once",
      () =>
        Effect.gen(function* () {
          const { claims, processWith } = yield* make
          const hangs = Effect.andThen(Effect.sleep("300 millis"), Effect.fail(unavailable))
          const store: Store = { claim: () => hangs, renew: () => hangs, done: () => hangs, release: () => hangs }
          const { bus, letters, subscribe } = yield* processWith({ ...whileUp(claims, () => true), ...store })
          const Changed = keyed()
          const name = fresh()
          const ledger = makeLedger()
          const subscription = yield* subscribe(name, {
            events: [Changed],
            ordering,
            ...options,
            handler: ledger.handler
          })
          const data = upTo(10).map((n) => ({ n, k: `k${n % 3}` }))
          yield* Effect.forkChild(bus.publishAll(Changed, data), { startImmediately: true })
          yield* Stage.pass(20_000, 50)
          assert.deepStrictEqual(ledger.sorted(), upTo(10))
          assert.deepInclude(yield* subscription.stats, { handled: 10, deadLettered: 0 })
          assert.deepStrictEqual(yield* letters.list(name), [])
        })
    )

    it.effect("P3: a claim and a done mark that come late leave the handler all of its deadline", () =>
      Effect.gen(function* () {
        const { claims, processWith } = yield* make
        const store: Store = {
          claim: (...args) => late(claims.claim(...args)),
          renew: claims.renew,
          done: (...args) => late(claims.done(...args)),
          release: claims.release
        }
        const { bus, subscribe } = yield* processWith(store)
        const Changed = keyed()
        const ledger = makeLedger()
        const attempts: Array<number> = []
        const subscription = yield* subscribe(fresh(), {
          events: [Changed],
          ordering,
          ...options,
          handler: (event, info) => {
            attempts.push(info.attempt)
            return Effect.andThen(Effect.sleep("90 millis"), ledger.handler(event, info))
          }
        })
        yield* Effect.forkChild(bus.publish(Changed, { n: 1, k: "k" }), { startImmediately: true })
        yield* Stage.pass(5_000, 10)
        assert.deepStrictEqual(attempts, [1])
        assert.deepStrictEqual(ledger.numbers(), [1])
        assert.deepInclude(yield* subscription.stats, { handled: 1, deadLettered: 0 })
      })
    )

    it.effect(
      "P3: a shared breaker and a shared rate limit that answer late leave the handler all of its deadline",
      () =>
        Effect.gen(function* () {
          const { processWith, claims } = yield* make
          const { bus, subscribe } = yield* processWith(claims)
          const Changed = keyed()
          const ledger = makeLedger()
          const subscription = yield* subscribe(fresh(), {
            events: [Changed],
            ordering,
            ...options,
            idempotent: false,
            breaker: {},
            rateLimit: { limit: 100, window: "1 second" },
            handler: (event, info) => Effect.andThen(Effect.sleep("90 millis"), ledger.handler(event, info))
          })
          yield* Effect.forkChild(bus.publish(Changed, { n: 1, k: "k" }), { startImmediately: true })
          yield* Stage.pass(5_000, 10)
          assert.deepStrictEqual(ledger.attempts(), [1])
          assert.deepInclude(yield* subscription.stats, { handled: 1, deadLettered: 0 })
        }).pipe(Effect.provide(Layer.fresh(lateStores)))
    )

    it.effect("P7: a handler that hangs is interrupted at its own deadline, counted from its start", () =>
      Effect.gen(function* () {
        const { claims, processWith } = yield* make
        const store: Store = { ...claims, claim: (...args) => Effect.delay(claims.claim(...args), "70 millis") }
        const { bus, letters, subscribe } = yield* processWith(store)
        const Changed = keyed()
        const name = fresh()
        let interrupted = 0
        yield* subscribe(name, {
          events: [Changed],
          ordering,
          ...options,
          retry: Schedule.recurs(0),
          handler: () => Effect.onInterrupt(Effect.never, () => Effect.sync(() => void interrupted++))
        })
        yield* Effect.forkChild(bus.publish(Changed, { n: 1, k: "k" }), { startImmediately: true })
        yield* Stage.pass(160, 10)
        assert.strictEqual(interrupted, 0)
        yield* Stage.pass(30, 10)
        assert.strictEqual(interrupted, 1)
        yield* Stage.pass(2_000, 100)
        const [letter] = yield* letters.list(name)
        assert.deepInclude(letter, { reason: "Exhausted", attempts: 1 })
      })
    )
  })
}
