/** A subscriber that is paused, resumed, stopped, or given another concurrency. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schedule, SubscriptionRef } from "effect"
import { fresh, keyed, numbered, numbers, upTo } from "../../../src/ports/conformance/setup/TestEvents.ts"
import { makeLedger } from "../../../src/ports/conformance/setup/HandlerLedger.ts"
import type { Subscription } from "../../../src/bus/subscriber/Subscription.ts"
import * as Stage from "../Stage.ts"

const statusOf = (subscription: Subscription) =>
  Effect.map(SubscriptionRef.get(subscription.status), ({ _tag }) => _tag)

describe("pause control", () => {
  for (const ordering of ["none", "key"] as const) {
    const settings = { ordering, concurrency: 2, prefetch: 20 } as const
    /** Ten events, two of which run, and the callbacks that end their handlers. */
    const begin = Effect.gen(function* () {
      const stage = yield* Stage.make
      const Changed = keyed()
      const name = fresh()
      const ledger = makeLedger()
      const open: Array<() => void> = []
      const subscription = yield* stage.bus.subscribe(name, {
        ...settings,
        events: [Changed],
        handler: (event, info) =>
          Effect.andThen(
            Effect.callback<void>((resume) => void open.push(() => resume(Effect.void))),
            ledger.handler(event, info)
          )
      })
      const publish = (count: number, from: number) =>
        Effect.andThen(
          Effect.forkChild(
            stage.bus.publishAll(
              Changed,
              upTo(count).map((n) => ({ n: n + from, k: `k${n}` }))
            ),
            { startImmediately: true }
          ),
          Stage.pass(1_000, 100)
        )
      const release = Effect.andThen(
        Effect.sync(() => {
          for (const end of open.splice(0)) end()
        }),
        Stage.turns
      )
      yield* publish(10, 0)
      assert.lengthOf(open, 2)
      return { ...stage, name, ledger, open, subscription, publish, release }
    })

    it.effect(
      `P3, N1: a pause lets running handlers end, starts none and returns no event; ordering "${ordering}"`,
      () =>
        Effect.gen(function* () {
          const { broker, ledger, letters, name, open, publish, release, subscription } = yield* begin
          yield* subscription.pause
          assert.strictEqual(yield* statusOf(subscription), "Paused")
          yield* release
          assert.lengthOf(ledger.entries, 2)
          yield* publish(5, 10)
          yield* Stage.pass(Stage.minutes(9), 1_000)
          assert.lengthOf(open, 0, "it started a handler")
          yield* subscription.resume
          assert.strictEqual(yield* statusOf(subscription), "Running")
          for (const _ of upTo(10)) yield* Effect.andThen(Stage.pass(200, 100), release)
          assert.deepStrictEqual(ledger.sorted(), upTo(15))
          assert.isTrue(
            ledger.entries.every(({ info }) => !info.redelivered),
            "it used up a life"
          )
          assert.strictEqual((yield* subscription.stats).returns, 0)
          assert.deepStrictEqual(yield* letters.list(name), [])
          assert.strictEqual((yield* broker.depth(name)).ready, 0)
        })
    )

    it.effect(`P3, C4: an event that is held longer than ten minutes is returned once; ordering "${ordering}"`, () =>
      Effect.gen(function* () {
        const { broker, ledger, name, release, subscription } = yield* begin
        yield* subscription.pause
        yield* release
        yield* Stage.pass(Stage.minutes(40), 5_000)
        assert.strictEqual((yield* broker.depth(name)).ready, 8)
        assert.strictEqual((yield* subscription.stats).held, 0)
        yield* subscription.resume
        for (const _ of upTo(10)) yield* Effect.andThen(Stage.pass(1_000, 100), release)
        assert.deepStrictEqual(ledger.sorted(), upTo(10))
        assert.isAtMost(Math.max(...ledger.entries.map(({ info }) => Number(info.redelivered))), 1)
        assert.strictEqual((yield* subscription.stats).returns, 8)
      })
    )

    it.effect(
      `P11: a pause survives the loss of the connection, and resume works after a restart; ordering "${ordering}"`,
      () =>
        Effect.gen(function* () {
          const { ledger, open, release, server, subscription } = yield* begin
          yield* subscription.pause
          server.disconnect("stored")
          yield* Stage.pass(5_000, 500)
          assert.strictEqual(yield* statusOf(subscription), "Paused")
          open.splice(0)
          server.reconnect()
          yield* Stage.pass(60_000, 1_000)
          assert.lengthOf(open, 0, "it started a handler")
          yield* subscription.resume
          for (const _ of upTo(10)) yield* Effect.andThen(Stage.pass(1_000, 100), release)
          assert.deepStrictEqual(ledger.sorted(), upTo(10))
          assert.strictEqual(yield* statusOf(subscription), "Running")
        })
    )

    it.effect(`many short pauses return no event; ordering "${ordering}"`, () =>
      Effect.gen(function* () {
        const { ledger, release, subscription } = yield* begin
        for (const round of upTo(40)) {
          yield* subscription.pause
          if (round % 3 > 0) yield* Stage.pass(round * 10, 10)
          yield* subscription.resume
          if (round % 2 > 0) yield* Stage.pass(10)
        }
        for (const _ of upTo(10)) yield* Effect.andThen(Stage.pass(200, 100), release)
        assert.deepStrictEqual(ledger.numbers().toSorted(), upTo(10))
        assert.strictEqual((yield* subscription.stats).returns, 0)
        assert.isTrue(ledger.entries.every(({ info }) => !info.redelivered))
      })
    )

    it.effect(`P12: a paused subscriber drains; ordering "${ordering}"`, () =>
      Effect.gen(function* () {
        const { broker, ledger, name, release, subscription } = yield* begin
        yield* subscription.pause
        yield* release
        assert.isTrue(yield* subscription.drain)
        assert.strictEqual(yield* statusOf(subscription), "Stopped")
        assert.deepStrictEqual([ledger.entries.length, (yield* broker.depth(name)).ready], [2, 8])
      })
    )

    it.effect(`P3: stop interrupts running handlers and returns their events; ordering "${ordering}"`, () =>
      Effect.gen(function* () {
        const { broker, ledger, letters, name, subscription } = yield* begin
        yield* subscription.stop
        assert.strictEqual(yield* statusOf(subscription), "Stopped")
        assert.deepStrictEqual([ledger.entries.length, (yield* broker.depth(name)).ready], [0, 10])
        assert.deepStrictEqual(yield* letters.list(name), [])
      })
    )

    it.effect(`the concurrency can be changed while it runs; ordering "${ordering}"`, () =>
      Effect.gen(function* () {
        const { open, release, subscription } = yield* begin
        yield* subscription.setConcurrency(5)
        assert.lengthOf(open, 5)
        yield* subscription.setConcurrency(1)
        yield* release
        assert.lengthOf(open, 1)
        const error = yield* Effect.flip(subscription.setConcurrency(0))
        assert.include(error.message, "concurrency")
        yield* release
      })
    )
  }

  it.effect("P7: a retry that waits in the process keeps waiting in a pause, and runs after it", () =>
    Effect.gen(function* () {
      const { bus } = yield* Stage.make
      const Happened = numbered()
      const attempts: Array<number> = []
      const subscription = yield* bus.subscribe(fresh(), {
        events: [Happened],
        retry: Schedule.spaced("500 millis").pipe(Schedule.upTo({ times: 3 })),
        handler: (_, { attempt }) =>
          Effect.suspend(() => {
            attempts.push(attempt)
            return attempt < 2 ? Effect.fail("not yet") : Effect.void
          })
      })
      yield* bus.publishAll(Happened, numbers(1)).pipe(Effect.forkChild({ startImmediately: true }))
      yield* Stage.pass(100, 10)
      yield* subscription.pause
      yield* Stage.pass(5_000, 100)
      assert.deepStrictEqual(attempts, [1])
      yield* subscription.resume
      yield* Stage.turns
      assert.deepStrictEqual(attempts, [1, 2])
    })
  )
})
