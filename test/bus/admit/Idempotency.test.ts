/** An idempotent subscriber handles an event once, although it is delivered more often. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Schedule, Scope } from "effect"
import { ClaimStore } from "../../../src/bus/port/ClaimStore.ts"
import * as MemoryBroker from "../../../src/memory/MemoryBroker.ts"
import * as MemoryCache from "../../../src/memory/MemoryCache.ts"
import { fresh, keyed, upTo } from "../../../src/ports/conformance/setup/TestEvents.ts"
import { makeLedger } from "../../../src/ports/conformance/setup/HandlerLedger.ts"
import { processOver, start } from "../../../src/ports/conformance/setup/BusProcess.ts"
import * as Stage from "../Stage.ts"
import { make, whileUp } from "./ClaimStage.ts"

for (const ordering of ["none", "key"] as const) {
  describe(`idempotent, ordering "${ordering}"`, () => {
    it.effect("P3, N17: a duplicate is acknowledged without running; another subscriber handles it as well", () =>
      Effect.gen(function* () {
        const { process } = yield* make
        const { bus, subscribe } = yield* process
        const Changed = keyed()
        const [one, other] = [makeLedger(), makeLedger()]
        const options = { events: [Changed], ordering, idempotent: true } as const
        const first = yield* subscribe(fresh(), { ...options, handler: one.handler })
        yield* subscribe(fresh(), { ...options, handler: other.handler })
        for (const _ of upTo(3))
          yield* Effect.forkChild(bus.publish(Changed, { n: 1, k: "k" }, { id: "same" }), { startImmediately: true })
        yield* Stage.pass(1_000, 100)
        assert.deepStrictEqual([one.numbers(), other.numbers()], [[1], [1]])
        assert.deepInclude(yield* first.stats, { handled: 1, duplicates: 2, held: 0 })
      })
    )

    it.effect("P7, N17: a failed attempt is retried, and the event is done after the attempt that succeeds", () =>
      Effect.gen(function* () {
        const { process } = yield* make
        const { bus, subscribe } = yield* process
        const Changed = keyed()
        const attempts: Array<number> = []
        const subscription = yield* subscribe(fresh(), {
          events: [Changed],
          ordering,
          idempotent: true,
          retry: Schedule.spaced("2 seconds").pipe(Schedule.upTo({ times: 5 })),
          handler: (_, { attempt, fence }) =>
            Effect.suspend(() => {
              attempts.push(attempt)
              assert.isNumber(fence)
              return attempt < 3 ? Effect.fail("not yet") : Effect.void
            })
        })
        for (const _ of upTo(2))
          yield* Effect.forkChild(bus.publish(Changed, { n: 1, k: "k" }, { id: "same" }), { startImmediately: true })
        yield* Stage.pass(90_000, 500)
        assert.strictEqual(attempts.filter((attempt) => attempt === 3).length, 1, String(attempts))
        assert.deepInclude(yield* subscription.stats, { handled: 1, duplicates: 1, held: 0, deadLettered: 0 })
      })
    )

    it.effect(
      "D6, N17: the claim of a dead process ends, and the event is handled then; the wait counts as no attempt",
      () =>
        Effect.gen(function* () {
          const { claims, process } = yield* make
          const { bus, letters, subscribe } = yield* process
          const Changed = keyed()
          const name = fresh()
          const ledger = makeLedger()
          yield* claims.claim(
            { subscriber: name, source: "suite", type: Changed.name, id: "orphan" },
            "the dead",
            40_000
          )
          const subscription = yield* subscribe(name, {
            events: [Changed],
            ordering,
            idempotent: true,
            deadline: "30 seconds",
            retry: Schedule.recurs(0),
            handler: ledger.handler
          })
          yield* Effect.forkChild(bus.publish(Changed, { n: 1, k: "k" }, { id: "orphan" }), { startImmediately: true })
          yield* Stage.pass(30_000, 500)
          assert.lengthOf(ledger.entries, 0)
          yield* Stage.pass(30_000, 500)
          assert.deepStrictEqual(ledger.attempts(), [1])
          assert.deepInclude(yield* subscription.stats, { handled: 1, deadLettered: 0 })
          assert.deepStrictEqual(yield* letters.list(name), [])
        })
    )

    it.effect("P4: while the store is down it handles events all the same or waits, as onStoreDown says", () =>
      Effect.gen(function* () {
        const { process, setDown } = yield* make
        const { bus, subscribe } = yield* process
        const Changed = keyed()
        const [bold, patient] = [makeLedger(), makeLedger()]
        const options = { events: [Changed], ordering, idempotent: true, retry: Schedule.recurs(0) } as const
        yield* subscribe(fresh(), { ...options, handler: bold.handler })
        yield* subscribe(fresh(), { ...options, onStoreDown: "wait", handler: patient.handler })
        setDown(true)
        const data = upTo(10).map((n) => ({ n, k: `k${n % 3}` }))
        yield* Effect.forkChild(bus.publishAll(Changed, data), { startImmediately: true })
        yield* Stage.pass(20_000, 200)
        assert.deepStrictEqual([bold.sorted(), patient.sorted()], [upTo(10), []])
        setDown(false)
        yield* Stage.pass(20_000, 200)
        assert.deepStrictEqual([bold.sorted(), patient.sorted()], [upTo(10), upTo(10)])
      })
    )

    it.effect(
      "P12: a handler that the drain interrupts releases its claim; the next process handles the event at once",
      () =>
        Effect.gen(function* () {
          const { process } = yield* make
          const [first, second] = [yield* process, yield* process]
          const Changed = keyed()
          const name = fresh()
          const ledger = makeLedger()
          let begun = 0
          const options = { events: [Changed], ordering, idempotent: true } as const
          const one = yield* first.subscribe(name, {
            ...options,
            handler: () =>
              Effect.andThen(
                Effect.sync(() => ++begun),
                Effect.never
              )
          })
          yield* Effect.forkChild(first.bus.publish(Changed, { n: 1, k: "k" }), { startImmediately: true })
          yield* Stage.pass(500, 100)
          assert.strictEqual(begun, 1)
          yield* one.stop
          yield* second.subscribe(name, { ...options, handler: ledger.handler })
          yield* Stage.pass(500, 100)
          assert.deepStrictEqual(ledger.numbers(), [1])
        })
    )
  })
}

describe("idempotent", () => {
  for (const onBlocked of [undefined, "dead-letter", "park"] as const)
    it.effect(
      `C11, N6: an event that kills its process is dead-lettered, although each claim outlives a process; ${onBlocked === undefined ? "without ordering" : `by key, ${onBlocked}`}`,
      () =>
        Effect.gen(function* () {
          const { server, claims, process } = yield* make
          const { bus, letters } = yield* process
          const Changed = keyed()
          const name = fresh()
          const ledger = makeLedger()
          let starts = 0
          let alive = false
          /** The process dies with the handler of the killer: nothing that it does then has an effect. */
          const begin = Effect.gen(function* () {
            const connection = yield* Scope.make()
            const broker = yield* Layer.buildWithScope(MemoryBroker.layerOf(server, { namespace: "test" }), connection)
            let dead = false
            const store = whileUp(claims, () => !dead)
            const { subscribe } = yield* Stage.runningOut(
              start(
                processOver(Layer.merge(Layer.succeedContext(broker), MemoryCache.layer)).pipe(
                  Layer.provide(Layer.succeed(ClaimStore, store))
                )
              )
            )
            alive = true
            const die = Effect.suspend(() => {
              dead = true
              alive = false
              return Scope.close(connection, Exit.void)
            })
            yield* subscribe(name, {
              events: [Changed],
              idempotent: true,
              ...(onBlocked !== undefined && { ordering: "key", onBlocked, prefetch: 8 }),
              deadline: "30 seconds",
              handler: (event, info) => {
                if (event.data.n !== 3) return ledger.handler(event, info)
                starts++
                return Effect.andThen(Effect.forkDetach(die), Effect.never)
              }
            })
          })
          yield* begin
          const data = upTo(10).map((n) => ({ n, k: "k" }))
          yield* Effect.forkChild(bus.publishAll(Changed, data), { startImmediately: true })
          for (let round = 0; round < 200 && (yield* letters.count(name)) === 0; round++) {
            if (!alive) yield* begin
            yield* Stage.pass(Stage.seconds(10), 500)
          }
          yield* Stage.pass(Stage.minutes(1), 500)
          const found = (yield* letters.list(name)).map(({ body, reason }) => [
            reason,
            JSON.parse(body.toString()).data.n
          ])
          assert.deepStrictEqual(found, [["CrashLoop", 3]])
          const others = upTo(10).filter((n) => n !== 3)
          assert.deepStrictEqual([...new Set(ledger.sorted())], others)
          if (onBlocked !== undefined) assert.deepStrictEqual([...new Set(ledger.numbers())], others)
          assert.isAtMost(starts, 10)
        })
    )

  it.effect("without a store subscribing fails with the remedy", () =>
    Effect.gen(function* () {
      const { bus } = yield* Stage.make
      const error = yield* Effect.flip(
        bus.subscribe(fresh(), { events: [keyed()], idempotent: true, handler: () => Effect.void })
      )
      assert.include(error.message, "ClaimStore")
    })
  )
})
