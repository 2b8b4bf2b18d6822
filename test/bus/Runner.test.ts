/** Deadlines, zombies, crash loops and slow start of one subscriber (P10, P13). */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Schedule, Scope, SubscriptionRef } from "effect"
import type { Delivery } from "../../src/bus/Broker.ts"
import { fresh, keyed, makeLedger, numbered, numbers, start, upTo } from "../suites/Workbench.ts"
import * as Stage from "./Stage.ts"

describe("a deadline", () => {
  it.effect("P10: is 60 seconds by default; then the handler is interrupted and the attempt has failed", () => Effect.gen(function*() {
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
  }))

  it.effect("P10: each has its own, however they start beside each other", () => Effect.gen(function*() {
    const { bus } = yield* Stage.make
    const Happened = numbered()
    const ended: Array<readonly [number, number]> = []
    yield* bus.subscribe(fresh(), {
      events: [Happened],
      deadline: "10 seconds",
      retry: Schedule.recurs(0),
      handler: (event) => Effect.onInterrupt(Effect.never, () => Effect.clockWith((clock) => Effect.sync(() => void ended.push([event.data.n, clock.currentTimeMillisUnsafe()]))))
    })
    for (const n of upTo(4)) {
      yield* Effect.forkChild(bus.publish(Happened, { n }), { startImmediately: true })
      yield* Stage.pass(3_000)
    }
    yield* Stage.pass(12_000, 500)
    assert.deepStrictEqual(ended, [[0, 10_000], [1, 13_000], [2, 16_000], [3, 19_000]])
  }))

  it.effect("P10: a handler that ends just in time is handled; one that succeeds too late is not", () => Effect.gen(function*() {
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
  }))
})

describe("a zombie", () => {
  it.effect("P10: five seconds after its deadline gives its permit back; its event is tried again and settled once", () => Effect.gen(function*() {
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
        Effect.andThen(ledger.handler(event, info), event.data.n === 0 && info.attempt === 1 ? Effect.uninterruptible(Effect.sleep("1 minute")) : Effect.void)
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
  }))

  it.effect("P6: of a key keeps its lane: no two of one key at once; other keys go on", () => Effect.gen(function*() {
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
        Effect.andThen(ledger.handler(event, info), event.data.n === 1 ? Effect.uninterruptible(Effect.sleep("1 minute")) : Effect.void)
    })
    yield* bus.publish(Changed, { n: 0, k: "first" }).pipe(Effect.forkChild({ startImmediately: true }))
    yield* Stage.pass(1_000)
    yield* Effect.forkChild(bus.publishAll(Changed, [{ n: 1, k: "a" }, { n: 2, k: "a" }, { n: 3, k: "b" }]), { startImmediately: true })
    yield* Stage.pass(20_000, 1_000)
    assert.deepStrictEqual(ledger.numbers(), [0, 1, 3])
    assert.strictEqual((yield* subscription.stats).zombies, 1)
    yield* Effect.forkChild(bus.publishAll(Changed, [{ n: 4, k: "c" }, { n: 5, k: "d" }]), { startImmediately: true })
    yield* Stage.pass(1_000)
    assert.deepStrictEqual(ledger.numbers(), [0, 1, 3, 4, 5])
    yield* Stage.pass(60_000, 1_000)
    assert.deepStrictEqual(ledger.numbers(), [0, 1, 3, 4, 5, 2])
    assert.deepInclude(yield* subscription.stats, { zombies: 0, deadLettered: 1, handled: 5 })
  }))

  it.effect("P10: too many of them fail the subscriber, and nobody else; what they hold is not lost", () => Effect.gen(function*() {
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
  }))
})

describe("a killer", () => {
  /** Takes what there is and dies with it, so often. */
  const die = Effect.fnUntraced(function*({ broker }: Effect.Success<typeof Stage.make>, subscriber: string, times: number, prefetch: number) {
    for (const _ of upTo(times)) {
      const scope = yield* Scope.make()
      const held: Array<Delivery> = []
      yield* broker.consume({ subscriber, prefetch, onDelivery: (delivery) => void held.push(delivery), onLost: () => {} }).pipe(Scope.provide(scope))
      yield* Stage.soon(() => `${held.length} delivered`, () => held.length >= 1)
      yield* Stage.turns
      yield* Scope.close(scope, Exit.void)
    }
  })

  for (const times of [9, 10, 19]) {
    it.effect(`P3: after ${times} deaths an event is ${times < 10 ? "still handled" : "dead-lettered without running again"}`, () => Effect.gen(function*() {
      const stage = yield* Stage.make
      const Happened = numbered()
      const name = fresh()
      const ledger = makeLedger()
      yield* stage.broker.declare({ name, ordering: "none", patterns: [Happened.name] })
      yield* stage.bus.publish(Happened, { n: 1 }).pipe(Effect.forkChild({ startImmediately: true }))
      yield* Stage.turns
      yield* die(stage, name, times, 1)
      yield* stage.bus.subscribe(name, { events: [Happened], handler: ledger.handler })
      yield* Stage.pass(1_000)
      const letters = yield* stage.letters.list(name)
      if (times < 10) {
        assert.deepStrictEqual([ledger.entries.length, letters.length], [1, 0])
        assert.isTrue(ledger.entries[0]?.info.redelivered)
      } else {
        assert.deepStrictEqual([ledger.entries.length, letters.length], [0, 1])
        assert.deepInclude(letters[0], { reason: "CrashLoop", subscriber: name, eventType: Happened.name })
        assert.include(letters[0]?.error.message, String(times))
      }
    }))
  }

  it.effect("P3: beyond the broker's own limit it is a dead letter that says CrashLoop", () => Effect.gen(function*() {
    const stage = yield* Stage.make
    const Happened = numbered()
    const name = fresh()
    yield* stage.broker.declare({ name, ordering: "none", patterns: [Happened.name] })
    yield* stage.bus.publish(Happened, { n: 1 }).pipe(Effect.forkChild({ startImmediately: true }))
    yield* Stage.turns
    yield* die(stage, name, 21, 1)
    assert.deepInclude((yield* stage.letters.list(name))[0], { reason: "CrashLoop", attempts: 0, eventType: Happened.name })
  }))

  it.effect("slow start takes one at a time while what comes has come back twice, then all at once", () => Effect.gen(function*() {
    const stage = yield* Stage.make
    const Happened = numbered()
    const name = fresh()
    yield* stage.broker.declare({ name, ordering: "none", patterns: [Happened.name] })
    yield* stage.bus.publishAll(Happened, numbers(5)).pipe(Effect.forkChild({ startImmediately: true }))
    yield* Stage.turns
    yield* die(stage, name, 2, 10)
    yield* stage.bus.publishAll(Happened, numbers(20, 5)).pipe(Effect.forkChild({ startImmediately: true }))
    yield* Stage.turns
    const running = new Set<number>()
    const most: Array<readonly [number, number]> = []
    const gates = yield* Effect.forEach(upTo(25), () => Deferred.make<void>())
    yield* stage.bus.subscribe(name, {
      events: [Happened],
      concurrency: 16,
      handler: ({ data: { n } }) =>
        Effect.suspend(() => {
          running.add(n)
          most.push([n, running.size])
          const gate = gates[n]
          return gate === undefined ? Effect.void : Effect.ensuring(Deferred.await(gate), Effect.sync(() => running.delete(n)))
        })
    })
    for (const n of upTo(5)) {
      yield* Stage.soon(() => `${n} does not run`, () => running.has(n))
      yield* Stage.pass(100)
      assert.deepStrictEqual([...running], [n], "not alone")
      const gate = gates[n]
      if (gate !== undefined) yield* Deferred.succeed(gate, undefined)
    }
    yield* Effect.forEach(gates, (gate) => Deferred.succeed(gate, undefined), { discard: true })
    yield* Stage.soon(() => `${most.length} of 25`, () => most.length === 25)
    for (const [n, beside] of most.slice(0, 5)) assert.strictEqual(beside, 1, `${n} was not alone`)
  }))

  it.effect("slow start that sees nothing strange takes all at once with its first delivery", () => Effect.gen(function*() {
    const { bus } = yield* Stage.make
    const Happened = numbered()
    let running = 0
    const gate = yield* Deferred.make<void>()
    yield* bus.subscribe(fresh(), { events: [Happened], concurrency: 16, handler: () => Effect.andThen(Effect.sync(() => ++running), Deferred.await(gate)) })
    yield* bus.publishAll(Happened, numbers(40)).pipe(Effect.forkChild({ startImmediately: true }))
    yield* Stage.soon(() => `${running} of 16`, () => running === 16)
    yield* Stage.pass(1_000)
    assert.strictEqual(running, 16, "more than its concurrency")
    yield* Deferred.succeed(gate, undefined)
    yield* Stage.soon(() => `${running} of 40`, () => running === 40)
  }))
})

describe("a drain", () => {
  it.effect("P12: within 25 seconds: handlers have 18, then they are interrupted; it is told", () => Effect.gen(function*() {
    const { bus } = yield* Stage.make
    const Happened = numbered()
    let interruptedAt = -1
    yield* bus.subscribe(fresh(), {
      events: [Happened],
      handler: () => Effect.onInterrupt(Effect.never, () => Effect.clockWith((clock) => Effect.sync(() => void (interruptedAt = clock.currentTimeMillisUnsafe()))))
    })
    yield* bus.publish(Happened, { n: 1 }).pipe(Effect.forkChild({ startImmediately: true }))
    yield* Stage.pass(1_000)
    const draining = yield* Effect.forkChild(bus.drain, { startImmediately: true })
    yield* Stage.pass(25_000, 500)
    assert.isFalse(yield* Fiber.join(draining))
    assert.isAtMost(interruptedAt, 20_000)
    assert.isAtLeast(interruptedAt, 18_000)
  }))

  it.effect("P12: a handler that cannot be interrupted does not hold it beyond its budget", () => Effect.gen(function*() {
    const { bus } = yield* Stage.make
    const Happened = numbered()
    yield* bus.subscribe(fresh(), { events: [Happened], handler: () => Effect.uninterruptible(Effect.sleep("10 minutes")) })
    yield* bus.publish(Happened, { n: 1 }).pipe(Effect.forkChild({ startImmediately: true }))
    yield* Stage.pass(1_000)
    const draining = yield* Effect.forkChild(bus.drain, { startImmediately: true })
    yield* Stage.pass(26_000, 500)
    assert.isFalse(yield* Fiber.join(draining))
    yield* Stage.pass(600_000, 60_000)
  }))

  it.effect("P12: with nothing to do it takes no time, and the answer stays", () => Effect.gen(function*() {
    const { bus } = yield* Stage.make
    yield* bus.subscribe(fresh(), { events: [numbered()], handler: () => Effect.void })
    const draining = yield* Effect.forkChild(bus.drain, { startImmediately: true })
    yield* Stage.turns
    assert.isTrue(yield* Fiber.join(draining))
    const again = yield* Effect.forkChild(bus.drain, { startImmediately: true })
    yield* Stage.turns
    assert.isTrue(yield* Fiber.join(again))
  }))
})
