/** The delay before attempt n by a Schedule: the same in every process, by real time, for every Schedule. */
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Random, Schedule, Schema } from "effect"
import * as RetryDelay from "../../../src/bus/subscriber/RetryDelay.ts"

const at = (attempt: number, more: Partial<RetryDelay.Attempt<unknown>> = {}): RetryDelay.Attempt<unknown> => ({
  attempt,
  firstFailure: 0,
  now: 0,
  error: "boom",
  seed: "event-1/mailer",
  ...more
})
const delays = <E>(policy: RetryDelay.RetryPolicy<E>, attempts: number, more: Partial<RetryDelay.Attempt<E>> = {}) =>
  Effect.forEach(
    Array.from({ length: attempts }, (_, i) => i + 1),
    (attempt) =>
      // Tests of functions pass errors of their own type.
      RetryDelay.delay(policy, { ...at(attempt), ...more } as RetryDelay.Attempt<E>)
  )

describe("RetryDelay.delay", () => {
  it.effect("a function that returns no Schedule is an error that says so", () =>
    Effect.gen(function* () {
      // A caller without types.
      const exit = yield* Effect.exit(RetryDelay.delay(() => 3 as never, at(1)))
      assert.include(String(exit), "`retry` returned no Schedule")
    })
  )

  it.effect("follows the Schedule, then is exhausted", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* delays(RetryDelay.defaultPolicy, 7), [
        1000,
        2000,
        4000,
        8000,
        16_000,
        undefined,
        undefined
      ])
      assert.deepStrictEqual(yield* delays(Schedule.spaced("3 seconds").pipe(Schedule.upTo({ times: 2 })), 3), [
        3000,
        3000,
        undefined
      ])
      assert.deepStrictEqual(yield* delays(Schedule.upTo(Schedule.spaced("1 second"), { times: 0 }), 1), [undefined])
      assert.deepStrictEqual(yield* delays(Schedule.recurs(2), 3), [0, 0, undefined])
      assert.deepStrictEqual(yield* delays(Schedule.fibonacci("100 millis"), 5), [100, 100, 200, 300, 500])
    })
  )

  it.effect.prop(
    "is reproducible with jitter: the same event and attempt wait equally long in every process",
    [Schema.String, Schema.Literals([1, 2, 3, 7, 19])],
    ([seed, attempt]) =>
      Effect.gen(function* () {
        const policy = Schedule.exponential("100 millis").pipe(Schedule.jittered)
        const first = yield* RetryDelay.delay(policy, at(attempt, { seed }))
        assert.strictEqual(yield* RetryDelay.delay(policy, at(attempt, { seed })), first)
        assert(first !== undefined)
        const exact = 100 * 2 ** (attempt - 1)
        assert.isTrue(first >= exact * 0.8 - 1 && first <= exact * 1.2 + 1, `${first} of ${exact}`)
      })
  )

  it.effect("draws the numbers of Random.withSeed, so that processes of any version agree", () =>
    Effect.gen(function* () {
      const policy = Schedule.spaced("10 seconds").pipe(Schedule.jittered)
      for (const seed of ["", "one", "event-1/mailer"]) {
        const drawn = yield* Random.withSeed(Random.next, seed)
        assert.closeTo((yield* RetryDelay.delay(policy, at(1, { seed }))) ?? 0, 8000 + 4000 * drawn, 1)
      }
    })
  )

  it.effect("spreads different events apart", () =>
    Effect.gen(function* () {
      const policy = Schedule.spaced("10 seconds").pipe(Schedule.jittered)
      const made = yield* Effect.forEach(
        Array.from({ length: 50 }, (_, i) => `e-${i}`),
        (seed) => RetryDelay.delay(policy, at(1, { seed }))
      )
      assert.isAbove(new Set(made).size, 40)
    })
  )

  it.effect("N27: upTo({ duration }) counts the real time since the first failure", () =>
    Effect.gen(function* () {
      const policy = Schedule.spaced("1 second").pipe(Schedule.upTo({ duration: "10 seconds" }))
      assert.strictEqual(yield* RetryDelay.delay(policy, at(3, { firstFailure: 1_000, now: 4_000 })), 1_000)
      // The second attempt came late: its queue was long, or the service was down.
      assert.isUndefined(yield* RetryDelay.delay(policy, at(2, { firstFailure: 1_000, now: 60_000 })))
      // A clock that moved back makes it no younger than its steps, and does not throw.
      assert.strictEqual(yield* RetryDelay.delay(policy, at(2, { firstFailure: 60_000, now: 1_000 })), 1_000)
    })
  )

  it.effect("a function chooses the Schedule by the error", () =>
    Effect.gen(function* () {
      const policy = (error: string) => (error === "busy" ? Schedule.spaced("5 seconds") : Schedule.recurs(0))
      assert.deepStrictEqual(yield* delays(policy, 2, { error: "busy" }), [5000, 5000])
      assert.deepStrictEqual(yield* delays(policy, 1, { error: "gone" }), [undefined])
    })
  )

  it.effect("N27: a Schedule gets the error as its input", () =>
    Effect.gen(function* () {
      const policy = Schedule.spaced("1 second").pipe(
        Schedule.while(({ input }: { readonly input: unknown }) => input !== "fatal")
      )
      assert.deepStrictEqual(yield* delays(policy, 2, { error: "slow" }), [1000, 1000])
      assert.deepStrictEqual(yield* delays(policy, 2, { error: "fatal" }), [undefined, undefined])
    })
  )

  it.effect("N27: from attempt 1,000 on the last delay repeats, and the work is bounded", () =>
    Effect.gen(function* () {
      let steps = 0
      const policy = Schedule.spaced("2 seconds").pipe(Schedule.tap(() => Effect.sync(() => void steps++)))
      assert.strictEqual(yield* RetryDelay.delay(policy, at(1_000_000)), 2000)
      assert.strictEqual(steps, 1000)
      const capped = Schedule.min([Schedule.exponential("1 second"), Schedule.spaced("1 minute")])
      assert.strictEqual(yield* RetryDelay.delay(capped, at(5_000)), 60_000)
    })
  )

  it.effect("the longest step is known, unless the policy depends on the error", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* RetryDelay.longestStep(RetryDelay.defaultPolicy), 16_000)
      assert.strictEqual(yield* RetryDelay.longestStep(Schedule.spaced(Duration.minutes(11))), 660_000)
      assert.strictEqual(yield* RetryDelay.longestStep(Schedule.recurs(0)), 0)
      assert.isUndefined(yield* RetryDelay.longestStep(() => Schedule.spaced("1 hour")))
      const throwing = Schedule.spaced("1 second").pipe(
        Schedule.while(({ input }: { readonly input: Error }) => input.message !== "")
      )
      assert.isUndefined(yield* RetryDelay.longestStep(throwing))
    })
  )
})
