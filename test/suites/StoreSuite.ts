/**
 * What Effect's stores do, whatever they are made of: their own behaviour, in the memory of the process, on one
 * Redis, behind sentinels and on a cluster. And our temporary state, which is made of one of them.
 */
import { assert, layer as withLayer } from "@effect/vitest"
import { Deferred, Duration, Effect, Exit, Fiber, type Layer, Option, Schedule, Schema } from "effect"
import * as CircuitBreaker from "effect/persistence/CircuitBreaker"
import * as KeyValueStore from "effect/persistence/KeyValueStore"
import * as Persistable from "effect/persistence/Persistable"
import * as PersistedCache from "effect/persistence/PersistedCache"
import * as PersistedQueue from "effect/persistence/PersistedQueue"
import * as Persistence from "effect/persistence/Persistence"
import * as RateLimiter from "effect/persistence/RateLimiter"
import type { BrokerError } from "../../src/bus/BrokerError.ts"
import { CacheError } from "../../src/bus/EventCache.ts"
import * as TemporaryState from "../../src/bus/TemporaryState.ts"
import type { Stores } from "../../src/app/RedisLive.ts"
import { sensitive } from "../../src/event/Sensitive.ts"

class Squared extends Persistable.Class<{ payload: { readonly n: number } }>()("Squared", {
  primaryKey: ({ n }) => `n/${n}}:{`,
  success: Schema.Struct({ square: Schema.Finite, at: Schema.Date }),
  error: Schema.String
}) {}

const oddKeys = [
  "",
  "a:b",
  "{a}",
  "}state",
  "a/b",
  "%",
  "line\nbreak",
  "snow ☃ 🎓",
  "\ud800 half",
  "*",
  "k".repeat(255)
]
const at = new Date(0)

let named = 0
const fresh = (): string => `suite-${process.pid}-${++named}`
const until = <E, R>(condition: Effect.Effect<boolean, E, R>) =>
  Effect.repeat(Effect.andThen(Effect.sleep(5), condition), { until: (met) => met }).pipe(Effect.timeout("15 seconds"))

export interface StoreSuiteOptions {
  /** Whether the user may look through all keys; else what needs that is refused. */
  readonly scans?: boolean
}

export const storeSuite = (
  name: string,
  layer: Layer.Layer<Stores | PersistedQueue.PersistedQueueFactory, BrokerError>,
  { scans = true }: StoreSuiteOptions = {}
): void =>
  withLayer(layer, { excludeTestServices: true, timeout: "60 seconds" })(name, (it) => {
    /** What a user gets who may not look through the keys. */
    const refused = (error: { readonly cause?: unknown }): void => {
      assert.isTrue(error.cause instanceof CacheError && error.cause.reason._tag === "Refused")
      assert.include(String(error.cause), "NOPERM")
    }

    it.effect("Persistence: values and failures of typed requests, several at once, removed, cleared", () =>
      Effect.gen(function* () {
        const storeId = `${fresh()}:*`
        const store = yield* (yield* Persistence.Persistence).make({ storeId })
        const other = yield* (yield* Persistence.Persistence).make({ storeId: `${storeId}*` })
        const keys = Array.from({ length: 50 }, (_, n) => new Squared({ n }))
        const exits = keys.map(({ n }) => (n % 2 === 0 ? Exit.succeed({ square: n * n, at }) : Exit.fail(`odd ${n}`)))
        assert.isUndefined(yield* store.get(new Squared({ n: 1 })))
        yield* store.setMany(keys.map((key, i) => [key, exits[i] ?? Exit.fail("?")] as const))
        yield* other.set(new Squared({ n: 1 }), Exit.fail("other"))
        assert.deepStrictEqual(yield* store.getMany([...keys, new Squared({ n: 99 })]), [...exits, undefined])
        assert.deepStrictEqual(yield* store.get(new Squared({ n: 3 })), Exit.fail("odd 3"))
        yield* store.remove(new Squared({ n: 3 }))
        assert.isUndefined(yield* store.get(new Squared({ n: 3 })))
        if (!scans) return refused(yield* Effect.flip(store.clear))
        yield* store.clear
        assert.isTrue((yield* store.getMany(keys)).every((exit) => exit === undefined))
        assert.deepStrictEqual(yield* other.get(new Squared({ n: 1 })), Exit.fail("other"))
      })
    )

    it.effect("Persistence: a value is forgotten when its time is over", () =>
      Effect.gen(function* () {
        const timeToLive = (exit: Exit.Exit<unknown, unknown>) => (Exit.isSuccess(exit) ? "60 millis" : "1 hour")
        const store = yield* (yield* Persistence.Persistence).make({ storeId: fresh(), timeToLive })
        yield* store.set(new Squared({ n: 1 }), Exit.succeed({ square: 1, at }))
        yield* store.set(new Squared({ n: 2 }), Exit.fail("stays"))
        yield* until(Effect.map(store.get(new Squared({ n: 1 })), (exit) => exit === undefined))
        assert.deepStrictEqual(yield* store.get(new Squared({ n: 2 })), Exit.fail("stays"))
      })
    )

    it.effect("PersistedCache: looked up once, by whatever process asks; invalidated for all", () =>
      Effect.gen(function* () {
        const storeId = fresh()
        let lookups = 0
        const join = PersistedCache.make(
          ({ n }: Squared) =>
            Effect.suspend(() => {
              lookups++
              return n < 0 ? Effect.fail("negative") : Effect.succeed({ square: n * n, at })
            }),
          { storeId, timeToLive: () => "1 hour" }
        )
        const [here, there] = [yield* join, yield* join]
        assert.deepStrictEqual(yield* here.get(new Squared({ n: 7 })), { square: 49, at })
        assert.deepStrictEqual(yield* there.get(new Squared({ n: 7 })), { square: 49, at })
        assert.strictEqual(lookups, 1)
        assert.strictEqual(yield* Effect.flip(here.get(new Squared({ n: -1 }))), "negative")
        assert.strictEqual(yield* Effect.flip(there.get(new Squared({ n: -1 }))), "negative")
        assert.strictEqual(lookups, 2)
        yield* here.invalidate(new Squared({ n: 7 }))
        yield* (yield* join).get(new Squared({ n: 7 }))
        assert.strictEqual(lookups, 3)
      })
    )

    it.effect("KeyValueStore: texts and bytes under any key", () =>
      Effect.gen(function* () {
        const store = KeyValueStore.prefix(yield* KeyValueStore.KeyValueStore, fresh())
        for (const [n, key] of oddKeys.entries()) {
          assert.isUndefined(yield* store.get(key))
          yield* store.set(key, `value ${n} ☃`)
        }
        for (const [n, key] of oddKeys.entries()) {
          assert.strictEqual(yield* store.get(key), `value ${n} ☃`, JSON.stringify(key))
          assert.isTrue(yield* store.has(key))
        }
        const bytes = Uint8Array.from({ length: 256 }, (_, i) => i)
        yield* store.set("bytes", bytes)
        assert.deepStrictEqual(yield* store.getUint8Array("bytes"), bytes)
        assert.strictEqual(yield* store.get("bytes"), Buffer.from(bytes).toString("base64"))
        assert.strictEqual(yield* store.modify("a:b", (value) => `${value}!`), "value 1 ☃!")
        yield* store.remove("a:b")
        assert.isFalse(yield* store.has("a:b"))
        if (!scans) return refused(yield* Effect.flip(store.keys))
        const left = [...oddKeys.filter((key) => key !== "a:b"), "bytes"]
        assert.deepStrictEqual((yield* store.keys).toSorted(), left.toSorted())
        assert.strictEqual(yield* store.size, left.length)
        yield* store.clear
        assert.isTrue(yield* store.isEmpty)
      })
    )

    it.effect("RateLimiter: one limit for all who share the store, in windows and in buckets", () =>
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
          // Somebody else's limit.
          yield* here.consume({ ...options, key: fresh(), onExceeded: "fail" })
        }
        const short = { key: fresh(), limit: 1, window: "50 millis", onExceeded: "fail" } as const
        yield* here.consume(short)
        yield* until(Effect.map(Effect.exit(there.consume(short)), Exit.isSuccess))
      })
    )

    it.effect("RateLimiter: learns what the other side allows", () =>
      Effect.gen(function* () {
        const store = yield* RateLimiter.RateLimiterStore
        const options = { key: fresh(), tokens: 1, fallbackLimit: 10, fallbackWindow: Duration.minutes(1) }
        assert.strictEqual((yield* store.adaptiveConsume(options)).phase, "inactive")
        yield* store.adaptiveFeedback({ ...options, epoch: 0, status: 429, retryAfter: Duration.millis(40) })
        const cooling = yield* store.adaptiveConsume(options)
        assert.strictEqual(cooling.phase, "cooldown")
        assert.isTrue(Duration.toMillis(cooling.delay) > 0)
        yield* until(Effect.map(store.adaptiveConsume(options), ({ phase }) => phase === "learning"))
      })
    )

    it.effect("CircuitBreaker: opens for all who share the store, probes with one, closes", () =>
      Effect.gen(function* () {
        const key = `${fresh()} {x}`
        const join = CircuitBreaker.make({
          tripPolicy: CircuitBreaker.consecutive(3),
          openDuration: "100 millis",
          onStoreError: "fail"
        })
        const [here, there] = [yield* join, yield* join]
        for (let n = 0; n < 3; n++) {
          assert.strictEqual(yield* Effect.flip(here.execute(Effect.fail("down"), { key })), "down")
        }
        const refusal = yield* Effect.flip(there.execute(Effect.void, { key }))
        assert.strictEqual(refusal.reason._tag, "CircuitOpen")
        assert.strictEqual((yield* here.state(key))._tag, "Open")
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

    it.effect("PersistedQueue: each element is taken by one, and none is lost", () =>
      Effect.gen(function* () {
        const make = PersistedQueue.make({ name: `${fresh()} {x}`, schema: Schema.Struct({ n: Schema.Finite }) })
        const [here, there] = [yield* make, yield* make]
        for (let n = 1; n <= 20; n++) yield* here.offer({ n })
        const taken: Array<number> = []
        yield* Effect.forEach(
          [here, there],
          (queue) =>
            queue
              .take(({ n }) => Effect.sync(() => void taken.push(n)))
              .pipe(Effect.repeat({ while: () => taken.length < 19 }), Effect.timeoutOption("15 seconds")),
          { concurrency: 2 }
        )
        assert.strictEqual(new Set(taken).size, taken.length)
        while (taken.length < 20) yield* here.take(({ n }) => Effect.sync(() => void taken.push(n)))
        assert.deepStrictEqual(
          taken.toSorted((a, b) => a - b),
          Array.from({ length: 20 }, (_, n) => n + 1)
        )
      })
    )

    it.effect(
      "PersistedQueue: an id is offered once; what is interrupted goes back; what fails is tried again, at last put aside",
      () =>
        Effect.gen(function* () {
          const schema = Schema.Struct({ n: Schema.Finite })
          const queue = yield* PersistedQueue.make({
            name: fresh(),
            schema,
            maxAttempts: 3,
            retrySchedule: Schedule.recurs(9)
          })
          yield* queue.offer({ n: 1 }, { id: "same" })
          yield* queue.offer({ n: 2 }, { id: "same" })
          const failure = yield* Effect.flip(queue.take(({ n }) => Effect.fail(`failed ${n}`)))
          assert.strictEqual(failure, "failed 1")
          const started = yield* Deferred.make<number>()
          const running = yield* Effect.forkChild(
            queue.take((_, { attempts }) => Effect.andThen(Deferred.succeed(started, attempts), Effect.never))
          )
          assert.strictEqual(yield* Deferred.await(started), 2)
          yield* Fiber.interrupt(running)
          assert.strictEqual(yield* queue.take(({ n }) => Effect.succeed(n)), 1)
          const few = yield* PersistedQueue.make({
            name: fresh(),
            schema,
            maxAttempts: 2,
            retrySchedule: Schedule.recurs(9)
          })
          yield* few.offer({ n: 1 })
          for (let attempt = 1; attempt <= 2; attempt++) yield* Effect.flip(few.take(() => Effect.fail("poison")))
          yield* few.offer({ n: 2 })
          assert.strictEqual(yield* few.take(({ n }) => Effect.succeed(n)), 2)
        })
    )

    it.effect("TemporaryState: typed values with a time to live", () =>
      Effect.gen(function* () {
        const Code = Schema.Struct({ digits: sensitive(Schema.String), at: Schema.Date, tries: Schema.Finite })
        const name = `${fresh()}/{*}`
        const codes = yield* TemporaryState.make(name, { schema: Code, timeToLive: "1 hour" })
        const same = yield* TemporaryState.make(name, { schema: Code, timeToLive: "1 hour" })
        for (const [tries, key] of oddKeys.entries()) {
          assert.isTrue(Option.isNone(yield* codes.get(key)))
          yield* codes.set(key, { digits: "123456", at, tries })
        }
        for (const [tries, key] of oddKeys.entries()) {
          assert.deepStrictEqual(Option.getOrThrow(yield* same.get(key)), { digits: "123456", at, tries })
        }
        yield* codes.remove("*")
        assert.isTrue(Option.isNone(yield* same.get("*")))
        assert.isTrue(Option.isSome(yield* same.get("")))
        yield* codes.set("short", { digits: "1", at, tries: 0 }, { timeToLive: "60 millis" })
        yield* until(Effect.map(same.get("short"), Option.isNone))
      })
    )

    it.effect("P14: TemporaryState: what does not fit is told by its place, never by its value", () =>
      Effect.gen(function* () {
        const [name, Secret] = [fresh(), Schema.Struct({ pin: sensitive(Schema.String) })]
        const pins = yield* TemporaryState.make(name, { schema: Secret, timeToLive: "1 hour" })
        const others = yield* TemporaryState.make(name, {
          schema: Schema.Struct({ pin: sensitive(Schema.Finite) }),
          timeToLive: Duration.infinity
        })
        yield* pins.set("k", { pin: "hunter2" })
        const error = yield* Effect.flip(others.get("k"))
        assert.deepInclude(error, { _tag: "StateError", name, isRetryable: false })
        assert.strictEqual(error.reason._tag, "Invalid")
        assert.include(error.message, "data.pin")
        assert.notInclude(error.message + JSON.stringify(error), "hunter2")
        const wrong = yield* Effect.flip(others.set("k", { pin: Number.NaN }))
        assert.include(wrong.message, "data.pin")
        const never = yield* Effect.flip(pins.set("k", { pin: "x" }, { timeToLive: 0 }))
        assert.include(never.message, "timeToLive")
        assert.strictEqual(
          (yield* Effect.flip(TemporaryState.make(name, { schema: Secret, timeToLive: -1 }))).reason._tag,
          "Invalid"
        )
      })
    )
  })
