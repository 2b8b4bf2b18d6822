/** An event that kills its process is found and dead-lettered, and harmless events are not. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Scope } from "effect"
import type { Delivery } from "../../../src/bus/port/Broker.ts"
import { fresh, numbered, numbers, upTo } from "../../../src/ports/conformance/setup/TestEvents.ts"
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

  for (const times of [2, 10, 19]) {
    it.effect(`P3: what ${times} processes held when they died is handled, since it never started`, () =>
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
        yield* Stage.pass(1_000, 20)
        assert.deepStrictEqual([ledger.entries.length, (yield* stage.letters.list(name)).length], [1, 0])
      })
    )
  }

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

  it.effect("N6: what has been returned twice runs one at a time, and the rest beside it", () =>
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
      let begun = 0
      const gates = yield* Effect.forEach(upTo(25), () => Deferred.make<void>())
      yield* stage.bus.subscribe(name, {
        events: [Happened],
        concurrency: 16,
        handler: ({ data: { n } }) =>
          Effect.suspend(() => {
            running.add(n)
            begun++
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
        for (let round = 0; round < 100 && !running.has(n); round++) yield* Stage.pass(100, 20)
        assert.deepStrictEqual(
          [...running].filter((other) => other < 5),
          [n]
        )
        const gate = gates[n]
        if (gate !== undefined) yield* Deferred.succeed(gate, undefined)
      }
      yield* Effect.forEach(gates, (gate) => Deferred.succeed(gate, undefined), { discard: true })
      yield* Stage.soon(
        () => `${begun} of 25`,
        () => begun === 25
      )
    })
  )

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
