/** The deadline of a handler, handlers that ignore it, and the drain of one subscriber (P10, P12). */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Schedule, SubscriptionRef } from "effect"
import { fresh, keyed, numbered, numbers, upTo } from "../../../src/ports/conformance/setup/TestEvents.ts"
import { makeLedger } from "../../../src/ports/conformance/setup/HandlerLedger.ts"
import { start } from "../../../src/ports/conformance/setup/BusProcess.ts"
import * as Stage from "../Stage.ts"

describe("a deadline", () => {
  it.effect("P10: is 60 seconds by default; then the handler is interrupted and its attempt has failed", () =>
    Effect.gen(function* () {
      const { bus, letters } = yield* Stage.make
      const Happened = numbered()
      const name = fresh()
      let interrupted = false
      yield* bus.subscribe(name, {
        events: [Happened],
        retry: Schedule.recurs(0),
        handler: () => Effect.onInterrupt(Effect.never, () => Effect.sync(() => void (interrupted = true)))
      })
      yield* Effect.forkChild(bus.publish(Happened, { n: 1 }), { startImmediately: true })
      yield* Stage.pass(59_900)
      assert.isFalse(interrupted)
      yield* Stage.pass(200)
      assert.isTrue(interrupted)
      assert.deepInclude((yield* letters.list(name))[0], { reason: "Exhausted", attempts: 1 })
      assert.strictEqual((yield* letters.list(name))[0]?.error.tag, "HandlerTimeout")
    })
  )

  it.effect("P10: each handler has its own, however their starts overlap", () =>
    Effect.gen(function* () {
      const { bus } = yield* Stage.make
      const Happened = numbered()
      const ended: Array<readonly [number, number]> = []
      yield* bus.subscribe(fresh(), {
        events: [Happened],
        deadline: "10 seconds",
        retry: Schedule.recurs(0),
        handler: (event) =>
          Effect.onInterrupt(Effect.never, () =>
            Effect.clockWith((clock) =>
              Effect.sync(() => void ended.push([event.data.n, clock.currentTimeMillisUnsafe()]))
            )
          )
      })
      for (const n of upTo(4)) {
        yield* Effect.forkChild(bus.publish(Happened, { n }), { startImmediately: true })
        yield* Stage.pass(3_000)
      }
      yield* Stage.pass(12_000, 500)
      assert.deepStrictEqual(ended, [
        [0, 10_000],
        [1, 13_000],
        [2, 16_000],
        [3, 19_000]
      ])
    })
  )

  it.effect(
    "P10: an event whose handler ends just in time is handled; one whose handler succeeds too late is not",
    () =>
      Effect.gen(function* () {
        const { bus, letters } = yield* Stage.make
        const Happened = numbered()
        const name = fresh()
        const subscription = yield* bus.subscribe(name, {
          events: [Happened],
          deadline: "10 seconds",
          retry: Schedule.recurs(0),
          handler: (event) => Effect.uninterruptible(Effect.sleep(event.data.n))
        })
        yield* Effect.forkChild(bus.publishAll(Happened, [{ n: 9_990 }, { n: 12_000 }]), { startImmediately: true })
        yield* Stage.pass(15_000, 500)
        assert.deepInclude(yield* subscription.stats, { handled: 1, deadLettered: 1, zombies: 0 })
        assert.strictEqual((yield* letters.list(name))[0]?.error.tag, "HandlerTimeout")
      })
  )
})

describe("a zombie", () => {
  it.effect(
    "P10, H2, N33: frees its permit five seconds after its deadline; its event is retried and settled once",
    () =>
      Effect.gen(function* () {
        const { bus } = yield* Stage.make
        const Happened = numbered()
        const ledger = makeLedger()
        const name = fresh()
        const subscription = yield* bus.subscribe(name, {
          events: [Happened],
          concurrency: 2,
          deadline: "10 seconds",
          retry: Schedule.spaced("100 millis"),
          handler: (event, info) =>
            Effect.andThen(
              ledger.handler(event, info),
              event.data.n === 0 && info.attempt === 1 ? Effect.uninterruptible(Effect.sleep("1 minute")) : Effect.void
            )
        })
        yield* Effect.forkChild(bus.publish(Happened, { n: 0 }), { startImmediately: true })
        yield* Stage.pass(14_900, 100)
        assert.deepInclude(yield* subscription.stats, { zombies: 0, inFlight: 1 })
        yield* Stage.pass(1_000, 100)
        assert.deepInclude(yield* subscription.stats, { zombies: 1, handled: 1, retried: 1 })
        assert.deepStrictEqual(ledger.attempts(), [1, 2])
        yield* Stage.pass(60_000, 1_000)
        assert.deepInclude(yield* subscription.stats, { zombies: 0, handled: 1, retried: 1, inFlight: 0, held: 0 })
        assert.strictEqual((yield* SubscriptionRef.get(subscription.status))._tag, "Running")
      })
  )

  it.effect("P6, H2, N33: keeps its lane: two events of one key never run at once, and other keys go on", () =>
    Effect.gen(function* () {
      const { bus } = yield* Stage.make
      const Changed = keyed()
      const ledger = makeLedger()
      const subscription = yield* bus.subscribe(fresh(), {
        events: [Changed],
        ordering: "key",
        concurrency: 2,
        deadline: "10 seconds",
        retry: Schedule.recurs(0),
        handler: (event, info) =>
          Effect.andThen(
            ledger.handler(event, info),
            event.data.n === 1 ? Effect.uninterruptible(Effect.sleep("1 minute")) : Effect.void
          )
      })
      yield* bus.publish(Changed, { n: 0, k: "first" }).pipe(Effect.forkChild({ startImmediately: true }))
      yield* Stage.pass(1_000)
      yield* Effect.forkChild(
        bus.publishAll(Changed, [
          { n: 1, k: "a" },
          { n: 2, k: "a" },
          { n: 3, k: "b" }
        ]),
        { startImmediately: true }
      )
      yield* Stage.pass(20_000, 1_000)
      assert.deepStrictEqual(ledger.numbers(), [0, 1, 3])
      assert.strictEqual((yield* subscription.stats).zombies, 1)
      yield* Effect.forkChild(
        bus.publishAll(Changed, [
          { n: 4, k: "c" },
          { n: 5, k: "d" }
        ]),
        { startImmediately: true }
      )
      yield* Stage.pass(1_000)
      assert.deepStrictEqual(ledger.numbers(), [0, 1, 3, 4, 5])
      yield* Stage.pass(60_000, 1_000)
      assert.deepStrictEqual(ledger.numbers(), [0, 1, 3, 4, 5, 2])
      assert.deepInclude(yield* subscription.stats, { zombies: 0, deadLettered: 1, handled: 5 })
    })
  )

  it.effect("P10, H2, N33: too many of them fail their subscriber and no other; their events are not lost", () =>
    Effect.gen(function* () {
      const { bus, connect } = yield* Stage.make
      const Happened = numbered()
      const name = fresh()
      const sibling = makeLedger()
      yield* bus.subscribe(fresh(), { events: [Happened], handler: sibling.handler })
      const subscription = yield* bus.subscribe(name, {
        events: [Happened],
        concurrency: 4,
        deadline: "10 seconds",
        retry: Schedule.spaced("1 minute"),
        handler: () => Effect.uninterruptible(Effect.sleep("10 minutes"))
      })
      yield* Effect.forkChild(bus.publishAll(Happened, numbers(8)), { startImmediately: true })
      yield* Stage.pass(20_000, 1_000)
      const { _tag, cause } = yield* SubscriptionRef.get(subscription.status)
      assert.strictEqual(_tag, "Failed")
      assert.isString(cause)
      yield* Effect.forkChild(bus.publish(Happened, { n: 8 }), { startImmediately: true })
      yield* Stage.pass(1_000)
      assert.strictEqual(sibling.entries.length, 9)
      const next = yield* start(connect())
      const ledger = makeLedger()
      yield* next.subscribe(name, { events: [Happened], handler: ledger.handler })
      yield* Stage.pass(700_000, 10_000)
      assert.deepStrictEqual([...new Set(ledger.sorted())], upTo(9))
    })
  )
})

describe("a drain", () => {
  it.effect(
    "P12, N14: takes at most 25 seconds: handlers have 18, then they are interrupted, and the drain reports it",
    () =>
      Effect.gen(function* () {
        const { bus } = yield* Stage.make
        const Happened = numbered()
        let interruptedAt = -1
        yield* bus.subscribe(fresh(), {
          events: [Happened],
          handler: () =>
            Effect.onInterrupt(Effect.never, () =>
              Effect.clockWith((clock) => Effect.sync(() => void (interruptedAt = clock.currentTimeMillisUnsafe())))
            )
        })
        yield* bus.publish(Happened, { n: 1 }).pipe(Effect.forkChild({ startImmediately: true }))
        yield* Stage.pass(1_000)
        const draining = yield* Effect.forkChild(bus.drain, { startImmediately: true })
        yield* Stage.pass(25_000, 500)
        assert.isFalse(yield* Fiber.join(draining))
        assert.isAtMost(interruptedAt, 20_000)
        assert.isAtLeast(interruptedAt, 18_000)
      })
  )

  it.effect("P12: does not exceed its budget for a handler that cannot be interrupted", () =>
    Effect.gen(function* () {
      const { bus } = yield* Stage.make
      const Happened = numbered()
      yield* bus.subscribe(fresh(), {
        events: [Happened],
        handler: () => Effect.uninterruptible(Effect.sleep("10 minutes"))
      })
      yield* bus.publish(Happened, { n: 1 }).pipe(Effect.forkChild({ startImmediately: true }))
      yield* Stage.pass(1_000)
      const draining = yield* Effect.forkChild(bus.drain, { startImmediately: true })
      yield* Stage.pass(26_000, 500)
      assert.isFalse(yield* Fiber.join(draining))
      yield* Stage.pass(600_000, 60_000)
    })
  )

  it.effect("P12: takes no time without work, and a second one returns the same result", () =>
    Effect.gen(function* () {
      const { bus } = yield* Stage.make
      yield* bus.subscribe(fresh(), { events: [numbered()], handler: () => Effect.void })
      const draining = yield* Effect.forkChild(bus.drain, { startImmediately: true })
      yield* Stage.turns
      assert.isTrue(yield* Fiber.join(draining))
      const again = yield* Effect.forkChild(bus.drain, { startImmediately: true })
      yield* Stage.turns
      assert.isTrue(yield* Fiber.join(again))
    })
  )
})
