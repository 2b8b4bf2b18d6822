/** An event that kills its process is found and dead-lettered, and harmless events are not. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Scope } from "effect"
import type { Delivery } from "../../../src/bus/port/Broker.ts"
import { fresh, keyed, numbered, numbers, upTo } from "../../../src/ports/conformance/setup/TestEvents.ts"
import { makeLedger } from "../../../src/ports/conformance/setup/HandlerLedger.ts"
import * as Stage from "../Stage.ts"

describe("an event that kills its process", () => {
  /** Takes deliveries and dies with them, this many times. */
  const die = Effect.fnUntraced(function* (
    { broker }: Effect.Success<typeof Stage.make>,
    subscriber: string,
    times: number,
    prefetch: number
  ) {
    for (const _ of upTo(times)) {
      const scope = yield* Scope.make()
      const held: Array<Delivery> = []
      yield* broker
        .consume({ subscriber, prefetch, onDelivery: (delivery) => void held.push(delivery), onLost: () => {} })
        .pipe(Scope.provide(scope))
      yield* Stage.soon(
        () => `${held.length} delivered`,
        () => held.length >= 1
      )
      yield* Stage.turns
      yield* Scope.close(scope, Exit.void)
    }
  })

  for (const times of [9, 10, 19]) {
    it.effect(
      `P3: after ${times} deaths it is ${times < 10 ? "still handled" : "dead-lettered without running again"}`,
      () =>
        Effect.gen(function* () {
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
        })
    )
  }

  it.effect("P3, C11, N6: is found among harmless ones and dead-lettered; they are handled", () =>
    Effect.gen(function* () {
      const stage = yield* Stage.make
      const Happened = numbered()
      const name = fresh()
      const ledger = makeLedger()
      yield* stage.broker.declare({ name, ordering: "none", patterns: [Happened.name] })
      yield* stage.bus.publishAll(Happened, numbers(6)).pipe(Effect.forkChild({ startImmediately: true }))
      yield* Stage.turns
      // Two deaths with all of them; then, after a slow start, with the first alone.
      yield* die(stage, name, 2, 10)
      yield* die(stage, name, 8, 1)
      yield* stage.bus.subscribe(name, { events: [Happened], handler: ledger.handler })
      yield* Stage.pass(1_000)
      const letters = yield* stage.letters.list(name)
      assert.deepStrictEqual(
        letters.map(({ reason }) => reason),
        ["CrashLoop"]
      )
      assert.deepStrictEqual(ledger.sorted(), [1, 2, 3, 4, 5])
      yield* stage.bus.publishAll(Happened, numbers(4, 6)).pipe(Effect.forkChild({ startImmediately: true }))
      yield* Stage.soon(
        () => `${ledger.numbers()}`,
        () => ledger.entries.length === 9
      )
      assert.deepStrictEqual(ledger.sorted(), upTo(10).slice(1))
    })
  )

  it.effect("P3: beyond the broker's own limit it is a dead letter with the reason CrashLoop", () =>
    Effect.gen(function* () {
      const stage = yield* Stage.make
      const Happened = numbered()
      const name = fresh()
      yield* stage.broker.declare({ name, ordering: "none", patterns: [Happened.name] })
      yield* stage.bus.publish(Happened, { n: 1 }).pipe(Effect.forkChild({ startImmediately: true }))
      yield* Stage.turns
      yield* die(stage, name, 21, 1)
      assert.deepInclude((yield* stage.letters.list(name))[0], {
        reason: "CrashLoop",
        attempts: 0,
        eventType: Happened.name
      })
    })
  )

  it.effect("N6: a slow start takes one delivery at a time while they have been returned twice, then all at once", () =>
    Effect.gen(function* () {
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
            return gate === undefined
              ? Effect.void
              : Effect.ensuring(
                  Deferred.await(gate),
                  Effect.sync(() => running.delete(n))
                )
          })
      })
      for (const n of upTo(5)) {
        yield* Stage.soon(
          () => `${n} does not run`,
          () => running.has(n)
        )
        yield* Stage.pass(100)
        assert.deepStrictEqual([...running], [n], "not alone")
        const gate = gates[n]
        if (gate !== undefined) yield* Deferred.succeed(gate, undefined)
      }
      yield* Effect.forEach(gates, (gate) => Deferred.succeed(gate, undefined), { discard: true })
      yield* Stage.soon(
        () => `${most.length} of 25`,
        () => most.length === 25
      )
      for (const [n, beside] of most.slice(0, 5)) assert.strictEqual(beside, 1, `${n} was not alone`)
    })
  )

  for (const ordering of ["none", "key"] as const) {
    it.effect(
      `P7, N6: what hangs is alone for a second each, and no event waits for its deadline, ordering "${ordering}"`,
      () =>
        Effect.gen(function* () {
          const stage = yield* Stage.make
          const Changed = keyed()
          const name = fresh()
          yield* stage.broker.declare({ name, ordering, patterns: [Changed.name] })
          const data = upTo(8).map((n) => ({ n, k: `k${n}` }))
          yield* stage.bus.publishAll(Changed, data).pipe(Effect.forkChild({ startImmediately: true }))
          yield* Stage.turns
          yield* die(stage, name, 2, 10)
          const handled: Array<number> = []
          const hanging = new Set<number>()
          yield* stage.bus.subscribe(name, {
            events: [Changed],
            ordering,
            deadline: "10 minutes",
            handler: ({ data: { n } }) =>
              n < 3
                ? Effect.andThen(
                    Effect.sync(() => hanging.add(n)),
                    Effect.never
                  )
                : Effect.sync(() => void handled.push(n))
          })
          yield* Stage.pass(900, 100)
          assert.deepStrictEqual([hanging.size, handled], [1, []], "not alone at first")
          yield* Stage.pass(3_000, 100)
          assert.deepStrictEqual([hanging.size, handled.toSorted()], [3, [3, 4, 5, 6, 7]])
          yield* stage.bus.publish(Changed, { n: 8, k: "k8" }).pipe(Effect.forkChild({ startImmediately: true }))
          yield* Stage.soon(
            () => `${handled}`,
            () => handled.includes(8)
          )
        })
    )
  }

  it.effect("a slow start without suspects takes all at once after its first delivery", () =>
    Effect.gen(function* () {
      const { bus } = yield* Stage.make
      const Happened = numbered()
      let running = 0
      const gate = yield* Deferred.make<void>()
      yield* bus.subscribe(fresh(), {
        events: [Happened],
        concurrency: 16,
        handler: () =>
          Effect.andThen(
            Effect.sync(() => ++running),
            Deferred.await(gate)
          )
      })
      yield* bus.publishAll(Happened, numbers(40)).pipe(Effect.forkChild({ startImmediately: true }))
      yield* Stage.soon(
        () => `${running} of 16`,
        () => running === 16
      )
      yield* Stage.pass(1_000)
      assert.strictEqual(running, 16, "more than its concurrency")
      yield* Deferred.succeed(gate, undefined)
      yield* Stage.soon(
        () => `${running} of 40`,
        () => running === 40
      )
    })
  )
})
