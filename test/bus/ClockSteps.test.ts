/**
 * A step of the wall clock, by hand or by a time service: what is measured inside of a process goes on as if nothing had
 * happened. Nothing is dead-lettered for it, and nothing comes an hour late.
 */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Layer, Schedule } from "effect"
import { CacheStore } from "../../src/bus/port/CacheStore.ts"
import type { DeliveryInfo } from "../../src/bus/subscriber/SubscriberOptions.ts"
import * as MemoryCache from "../../src/memory/MemoryCache.ts"
import type { Entry } from "../../src/ports/conformance/setup/HandlerLedger.ts"
import { fresh, keyed } from "../../src/ports/conformance/setup/TestEvents.ts"
import { make } from "./admit/ClaimStage.ts"
import * as Stage from "./Stage.ts"

const hour = Stage.hours(1)

/** The clock of the test, and a wall clock that can be set. Monotonic time does not follow it. */
const settable = Effect.gen(function* () {
  const clock = yield* Clock.Clock
  let offset = 24 * hour
  const wall = (): number => clock.currentTimeMillisUnsafe() + offset
  const nanos = (): bigint => BigInt(wall()) * 1_000_000n
  const stepped: Clock.Clock = {
    ...clock,
    currentTimeMillisUnsafe: wall,
    currentTimeMillis: Effect.sync(wall),
    currentTimeNanosUnsafe: nanos,
    currentTimeNanos: Effect.sync(nanos)
  }
  return { clock: stepped, elapsed: () => clock.currentTimeMillisUnsafe(), step: (by: number) => void (offset += by) }
})

/** Runs a test over a bus on this clock. `book` has seconds since its start, as nobody's clock changes them. */
const stepping = <A, E, R>(
  test: (
    tools: Effect.Success<typeof make> & {
      readonly step: (by: number) => void
      readonly seconds: () => number
      readonly book: (results: (n: number, attempt: number) => Effect.Effect<void, string>) => {
        readonly entries: Array<readonly [n: number, attempt: number, second: number]>
        readonly handler: (event: Entry["event"], info: DeliveryInfo) => Effect.Effect<void, string>
      }
    }
  ) => Effect.Effect<A, E, R>
) =>
  Effect.gen(function* () {
    const { clock, elapsed, step } = yield* settable
    const seconds = (): number => Math.floor(elapsed() / 1000)
    return yield* Effect.provideService(
      Effect.gen(function* () {
        const stage = yield* make
        return yield* test({
          ...stage,
          step,
          seconds,
          book: (results) => {
            const entries: Array<readonly [number, number, number]> = []
            return {
              entries,
              handler: ({ data: { n } }, { attempt }) =>
                Effect.suspend(() => {
                  entries.push([n, attempt, seconds()])
                  return results(n, attempt)
                })
            }
          }
        })
      }),
      Clock.Clock,
      clock
    )
  })

const background = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.forkChild(effect, { startImmediately: true })
const failsFirst = (_: number, attempt: number): Effect.Effect<void, string> =>
  attempt === 1 ? Effect.fail("first") : Effect.void

for (const by of [hour, -hour]) {
  describe(`a step of the wall clock by ${by / hour} h`, () => {
    for (const onBlocked of ["dead-letter", "park"] as const)
      it.effect(`P5, P7: a lane waits for its retry as long as it would have; ${onBlocked}`, () =>
        stepping(({ book, process, step }) =>
          Effect.gen(function* () {
            const { bus, letters, subscribe } = yield* process
            const Changed = keyed()
            const name = fresh()
            const { entries, handler } = book((n, attempt) => (n === 1 ? failsFirst(n, attempt) : Effect.void))
            yield* subscribe(name, {
              events: [Changed],
              ordering: "key",
              onBlocked,
              // The second failure of a parked event is parked again.
              retry: Schedule.spaced(onBlocked === "park" ? "20 minutes" : "5 minutes"),
              handler
            })
            yield* background(bus.publish(Changed, { n: 1, k: "a" }))
            yield* background(bus.publish(Changed, { n: 2, k: "a" }))
            yield* Stage.pass(Stage.minutes(2), 1_000)
            step(by)
            yield* Stage.pass(Stage.minutes(20), 1_000)
            const due = onBlocked === "park" ? 1_200 : 300
            assert.deepStrictEqual(
              entries.map(([n, attempt]) => [n, attempt]),
              [
                [1, 1],
                [1, 2],
                [2, 1]
              ]
            )
            for (const [, , at] of entries.slice(1)) assert.isTrue(at >= due && at <= due + 3, String(entries))
            assert.deepStrictEqual(yield* letters.list(name), [])
          })
        )
      )

    it.effect("P5, P7: a later failure in the lane neither ends it nor its Schedule", () =>
      stepping(({ book, process, step }) =>
        Effect.gen(function* () {
          const { bus, letters, subscribe } = yield* process
          const Changed = keyed()
          const name = fresh()
          const { entries, handler } = book((_, attempt) => (attempt < 3 ? Effect.fail("not yet") : Effect.void))
          yield* subscribe(name, {
            events: [Changed],
            ordering: "key",
            retry: Schedule.spaced("2 minutes").pipe(Schedule.upTo({ duration: "30 minutes" })),
            handler
          })
          yield* background(bus.publish(Changed, { n: 1, k: "a" }))
          yield* Stage.pass(Stage.minutes(1), 1_000)
          step(by)
          yield* Stage.pass(Stage.minutes(5), 1_000)
          assert.deepStrictEqual(entries, [
            [1, 1, 0],
            [1, 2, 120],
            [1, 3, 240]
          ])
          assert.deepStrictEqual(yield* letters.list(name), [])
        })
      )
    )

    it.effect("P5, N8: the bound of ten minutes for a lane stays where it is", () =>
      stepping(({ book, process, step }) =>
        Effect.gen(function* () {
          const { bus, letters, subscribe } = yield* process
          const Changed = keyed()
          const name = fresh()
          const { entries, handler } = book(() => Effect.fail("never"))
          yield* subscribe(name, {
            events: [Changed],
            ordering: "key",
            onBlocked: "dead-letter",
            retry: Schedule.spaced("4 minutes"),
            handler
          })
          yield* background(bus.publish(Changed, { n: 1, k: "a" }))
          yield* Stage.pass(Stage.minutes(1), 1_000)
          step(by)
          yield* Stage.pass(Stage.minutes(12), 1_000)
          assert.deepStrictEqual(entries, [
            [1, 1, 0],
            [1, 2, 240],
            [1, 3, 480]
          ])
          assert.deepStrictEqual(
            (yield* letters.list(name)).map(({ attempts, reason }) => [reason, attempts]),
            [["LaneTooSlow", 3]]
          )
        })
      )
    )

    it.effect("P7, PUB10: a retry on the broker and a delayed event come when they are due", () =>
      stepping(({ book, process, step }) =>
        Effect.gen(function* () {
          const { bus, letters, subscribe } = yield* process
          const Changed = keyed()
          const name = fresh()
          const { entries, handler } = book((n, attempt) => (n === 1 ? failsFirst(n, attempt) : Effect.void))
          yield* subscribe(name, { events: [Changed], retry: Schedule.spaced("3 minutes"), handler })
          yield* background(bus.publish(Changed, { n: 1, k: "a" }))
          yield* background(bus.publish(Changed, { n: 2, k: "a" }, { delay: "2 minutes" }))
          yield* Stage.pass(Stage.minutes(1), 1_000)
          step(by)
          yield* Stage.pass(Stage.minutes(3), 1_000)
          assert.deepStrictEqual(entries, [
            [1, 1, 0],
            [2, 1, 120],
            [1, 2, 180]
          ])
          assert.deepStrictEqual(yield* letters.list(name), [])
        })
      )
    )

    it.effect("P2, P10: neither a running handler nor a waiting publish reaches its deadline by it", () =>
      stepping(({ book, process, seconds, server, step }) =>
        Effect.gen(function* () {
          const { bus, letters, subscribe } = yield* process
          const Changed = keyed()
          const name = fresh()
          const { entries, handler } = book(() => Effect.sleep("40 seconds"))
          const subscription = yield* subscribe(name, { events: [Changed], retry: Schedule.recurs(0), handler })
          yield* background(bus.publish(Changed, { n: 1, k: "a" }))
          yield* Stage.pass(Stage.seconds(10), 1_000)
          server.block("alarm")
          const outcomes: Array<readonly [string, number]> = []
          const publish = (n: number) =>
            background(
              Effect.onExit(bus.publish(Changed, { n, k: "b" }, { timeout: "20 seconds" }), ({ _tag }) =>
                Effect.sync(() => outcomes.push([_tag, seconds()]))
              )
            )
          yield* publish(2)
          yield* Stage.pass(Stage.seconds(5), 1_000)
          step(by)
          yield* Stage.pass(Stage.seconds(10), 1_000)
          assert.deepStrictEqual(outcomes, [])
          yield* Stage.pass(Stage.seconds(6), 1_000)
          // A message that was sent while the broker is blocked has no answer.
          assert.deepStrictEqual(
            outcomes.map(([tag]) => tag),
            ["Failure"]
          )
          server.unblock()
          yield* Stage.pass(Stage.seconds(90), 1_000)
          assert.include(
            entries.map(([n]) => n),
            1
          )
          assert.strictEqual((yield* subscription.stats).deadLettered, 0)
          assert.deepStrictEqual(yield* letters.list(name), [])
        })
      )
    )

    it.effect("D6: a claim of another process ends when it would have, and an own one is renewed", () =>
      stepping(({ book, claims, process, step }) =>
        Effect.gen(function* () {
          const { bus, letters, subscribe } = yield* process
          const Changed = keyed()
          const name = fresh()
          const { entries, handler } = book((n) => (n === 1 ? Effect.void : Effect.sleep("30 seconds")))
          const subjectOf = (id: string) => ({ subscriber: name, source: "suite", type: Changed.name, id })
          yield* claims.claim(subjectOf("held"), "another process", 10_000)
          yield* subscribe(name, { events: [Changed], ordering: "key", idempotent: true, handler })
          yield* background(bus.publish(Changed, { n: 1, k: "a" }, { id: "held" }))
          yield* background(bus.publish(Changed, { n: 2, k: "b" }, { id: "own" }))
          yield* Stage.pass(Stage.seconds(4), 500)
          step(by)
          yield* Stage.pass(Stage.seconds(21), 500)
          assert.deepStrictEqual(entries, [
            [2, 1, 0],
            [1, 1, 10]
          ])
          assert.strictEqual((yield* claims.claim(subjectOf("own"), "another process", 10_000))._tag, "Held")
          yield* Stage.pass(Stage.seconds(10), 500)
          assert.strictEqual((yield* claims.claim(subjectOf("own"), "another process", 10_000))._tag, "Done")
          assert.deepStrictEqual(yield* letters.list(name), [])
        })
      )
    )

    it.effect("N28: what is remembered lives as long as it would have", () =>
      stepping(({ step }) =>
        Effect.gen(function* () {
          const store = yield* CacheStore
          const entry = {
            event: "a.b",
            key: "k",
            id: "1",
            body: Buffer.from("{}"),
            settings: { timeToLiveMillis: 60_000 }
          }
          store.write({ ...entry, time: yield* Clock.currentTimeMillis })
          step(by)
          yield* Stage.pass(Stage.seconds(59), 1_000)
          assert.strictEqual((yield* store.last("a.b", "k"))._tag, "Some")
          yield* Stage.pass(Stage.seconds(2), 1_000)
          assert.strictEqual((yield* store.last("a.b", "k"))._tag, "None")
        }).pipe(Effect.provide(Layer.fresh(MemoryCache.layer)))
      )
    )
  })
}
