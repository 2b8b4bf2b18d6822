/** A dependency that is down costs a few attempts, not those of the whole backlog (R3). */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Schedule, SubscriptionRef } from "effect"
import * as CircuitBreaker from "effect/persistence/CircuitBreaker"
import * as Breaker from "../../../src/bus/admit/Breaker.ts"
import { Reject } from "../../../src/bus/subscriber/HandlerError.ts"
import { fresh, keyed, upTo } from "../../../src/ports/conformance/setup/TestEvents.ts"
import * as Stage from "../Stage.ts"

const breaker = { failures: 5, openDuration: "30 seconds" } as const

for (const ordering of ["none", "key"] as const) {
  describe(`breaker, ordering "${ordering}"`, () => {
    /** A subscriber whose handler depends on a database that is down until `mend` is called. */
    const begin = Effect.fnUntraced(function* (count: number) {
      const stage = yield* Stage.make
      const Changed = keyed()
      const name = fresh()
      let down = true
      let attempts = 0
      const handled: Array<number> = []
      const subscription = yield* stage.bus.subscribe(name, {
        events: [Changed],
        ordering,
        breaker,
        retry: Schedule.spaced("2 seconds").pipe(Schedule.upTo({ times: 4 })),
        handler: ({ data: { n } }) =>
          Effect.suspend(() => {
            attempts++
            if (down) return Effect.fail("the database is down")
            handled.push(n)
            return Effect.void
          })
      })
      yield* Effect.forkChild(
        stage.bus.publishAll(
          Changed,
          upTo(count).map((n) => ({ n, k: `k${n % 40}` }))
        ),
        { startImmediately: true }
      )
      yield* Stage.pass(1_000, 100)
      return { ...stage, name, handled, subscription, attempts: () => attempts, mend: () => void (down = false) }
    })

    it.effect("R3, P3: it opens, probes with one event at a time, and closes; nothing is dead-lettered", () =>
      Effect.gen(function* () {
        const { attempts, handled, letters, mend, name, subscription } = yield* begin(200)
        assert.isAtMost(attempts(), 5 + 16, "the first attempts and the ones that ran beside them")
        assert.deepInclude(yield* SubscriptionRef.get(subscription.status), {
          _tag: "Paused",
          cause: "its breaker is open"
        })
        const before = attempts()
        yield* Stage.pass(Stage.minutes(5), 500)
        assert.isAtMost(attempts() - before, 10, "one probe in each half minute")
        assert.isAtLeast(attempts() - before, 9)
        mend()
        yield* Stage.pass(Stage.minutes(2), 500)
        assert.deepStrictEqual(
          [...new Set(handled)].toSorted((a, b) => a - b),
          upTo(200)
        )
        assert.deepStrictEqual(yield* letters.list(name), [])
        assert.deepInclude(yield* SubscriptionRef.get(subscription.status), { _tag: "Running", cause: undefined })
        assert.strictEqual((yield* subscription.stats).returns, 0)
        if (ordering === "key") {
          for (const key of upTo(40)) {
            const lane = handled.filter((n) => n % 40 === key)
            assert.deepStrictEqual(
              lane,
              lane.toSorted((a, b) => a - b)
            )
          }
        }
      })
    )

    it.effect("a pause by the user outlasts that of the breaker", () =>
      Effect.gen(function* () {
        const { handled, mend, subscription } = yield* begin(20)
        yield* subscription.pause
        mend()
        yield* Stage.pass(Stage.minutes(5), 1_000)
        assert.deepStrictEqual(handled, [])
        yield* subscription.resume
        yield* Stage.pass(Stage.minutes(2), 500)
        assert.lengthOf(new Set(handled), 20)
      })
    )

    it.effect("P12: it drains while it is open", () =>
      Effect.gen(function* () {
        const { subscription } = yield* begin(50)
        assert.isTrue(yield* subscription.drain)
        assert.strictEqual((yield* SubscriptionRef.get(subscription.status))._tag, "Stopped")
      })
    )
  })
}

describe("breaker", () => {
  it.effect("rejected events do not open it", () =>
    Effect.gen(function* () {
      const { bus, letters } = yield* Stage.make
      const Changed = keyed()
      const name = fresh()
      const subscription = yield* bus.subscribe(name, {
        events: [Changed],
        breaker,
        handler: () => Effect.fail(new Reject({ reason: "poison" }))
      })
      const data = upTo(50).map((n) => ({ n, k: "k" }))
      yield* Effect.forkChild(bus.publishAll(Changed, data), { startImmediately: true })
      yield* Stage.pass(1_000, 100)
      assert.strictEqual(yield* letters.count(name), 50)
      assert.strictEqual((yield* SubscriptionRef.get(subscription.status))._tag, "Running")
    })
  )

  it.effect(
    "R3: a dependency that hangs is down, too: attempts that miss their deadline open it, and a hanging probe keeps it open",
    () =>
      Effect.gen(function* () {
        const { bus } = yield* Stage.make
        const Changed = keyed()
        let attempts = 0
        let hangs = true
        const handled = new Set<number>()
        const subscription = yield* bus.subscribe(fresh(), {
          events: [Changed],
          breaker,
          concurrency: 4,
          deadline: "1 second",
          retry: Schedule.spaced("5 seconds"),
          handler: ({ data: { n } }) =>
            Effect.suspend(() => {
              attempts++
              if (hangs) return Effect.never
              handled.add(n)
              return Effect.void
            })
        })
        const data = upTo(100).map((n) => ({ n, k: "k" }))
        yield* Effect.forkChild(bus.publishAll(Changed, data), { startImmediately: true })
        yield* Stage.pass(5_000, 100)
        assert.isAtMost(attempts, 5 + 4)
        assert.strictEqual((yield* SubscriptionRef.get(subscription.status))._tag, "Paused")
        const before = attempts
        yield* Stage.pass(Stage.minutes(5), 500)
        assert.isAtMost(attempts - before, 10, "one probe in each half minute")
        hangs = false
        yield* Stage.pass(Stage.minutes(2), 500)
        assert.lengthOf(handled, 100)
      })
  )

  for (const since of ["opened", "closed again"] as const)
    it.effect(
      `R3: an attempt that began before it opened, and misses its deadline after it ${since}, says nothing`,
      () =>
        Effect.gen(function* () {
          const { guard } = yield* Breaker.make("test", { failures: 1, openDuration: "10 seconds" }, undefined)
          let isOverdue = false
          const inTime = (handler: Effect.Effect<void, string>) => Effect.exit(guard(handler, () => false))
          const hanging = yield* Effect.forkChild(
            guard(Effect.never, () => isOverdue),
            { startImmediately: true }
          )
          yield* inTime(Effect.fail("down"))
          assert.isTrue(Exit.isFailure(yield* inTime(Effect.void)), "it is open")
          yield* Stage.pass(Stage.seconds(10), 500)
          if (since === "closed again") assert.isTrue(Exit.isSuccess(yield* inTime(Effect.void)), "it probes")
          isOverdue = true
          yield* Fiber.interrupt(hanging)
          assert.isTrue(Exit.isSuccess(yield* inTime(Effect.void)))
        })
    )

  it.effect("P12, R3: an event that is given back with a lost connection says nothing about a dependency", () =>
    Effect.gen(function* () {
      const { bus, server } = yield* Stage.make
      const Changed = keyed()
      let attempts = 0
      const subscription = yield* bus.subscribe(fresh(), {
        events: [Changed],
        breaker,
        handler: () => Effect.suspend(() => (++attempts <= 10 ? Effect.never : Effect.void))
      })
      yield* bus.publishAll(
        Changed,
        upTo(10).map((n) => ({ n, k: "k" }))
      )
      yield* Stage.turns
      server.disconnect("stored")
      server.reconnect()
      yield* Stage.pass(5_000, 100)
      assert.strictEqual(attempts, 20)
      assert.deepInclude(yield* SubscriptionRef.get(subscription.status), { _tag: "Running", cause: undefined })
    })
  )

  it.effect("processes that share a store stop together", () =>
    Effect.gen(function* () {
      const stage = yield* Stage.make
      const Changed = keyed()
      const name = fresh()
      let attempts = 0
      const handler = () =>
        Effect.andThen(
          Effect.sync(() => ++attempts),
          Effect.fail("down")
        )
      const join = stage.bus.subscribe(name, { events: [Changed], breaker, concurrency: 1, handler })
      const members = yield* Effect.forEach(upTo(4), () => join)
      const data = upTo(100).map((n) => ({ n, k: "k" }))
      yield* Effect.forkChild(stage.bus.publishAll(Changed, data), { startImmediately: true })
      yield* Stage.pass(900, 100)
      assert.isAtMost(attempts, 5 + 4)
      for (const { status } of members) assert.strictEqual((yield* SubscriptionRef.get(status))._tag, "Paused")
    }).pipe(Effect.provide(Layer.fresh(CircuitBreaker.layerStoreMemory())))
  )

  it.effect("options that cannot work fail with their name", () =>
    Effect.gen(function* () {
      const { bus } = yield* Stage.make
      const error = yield* Effect.flip(
        bus.subscribe(fresh(), { events: [keyed()], breaker: { failures: 0 }, handler: () => Effect.void })
      )
      assert.include(error.message, "breaker")
    })
  )
})
