/** Effect's persisted queue, and temporary state. Run on each store by EffectStoreCases.ts. */
import { assert } from "@effect/vitest"
import { Deferred, Duration, Effect, Fiber, Option, Schedule, Schema } from "effect"
import * as PersistedQueue from "effect/persistence/PersistedQueue"
import * as TemporaryState from "../../src/bus/read/TemporaryState.ts"
import { sensitive } from "../../src/event/sensitive/Sensitive.ts"

import { at, fresh, oddKeys, until } from "./StoreValues.ts"
import type { StoreIt } from "./EffectStoreCases.ts"

export const queueCases = (it: StoreIt): void => {
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
    "PersistedQueue: an id is offered once; an interrupted element goes back; a failed one is retried, and at last put aside",
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

  it.effect("P14: TemporaryState: an invalid value is reported by its path, never by its content", () =>
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
        "Option"
      )
    })
  )
}
