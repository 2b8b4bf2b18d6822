/** Without ordering what never started is never taken for an event that ends its process (P3). */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schedule } from "effect"
import * as CircuitBreaker from "effect/persistence/CircuitBreaker"
import * as RateLimiter from "effect/persistence/RateLimiter"
import { BrokerError } from "../../../src/bus/port/BrokerError.ts"
import { PermissionDenied } from "../../../src/bus/port/BrokerReason.ts"
import { notSent } from "../../../src/bus/port/SendOutcome.ts"
import { makeLedger } from "../../../src/ports/conformance/setup/HandlerLedger.ts"
import { fresh, numbered, upTo } from "../../../src/ports/conformance/setup/TestEvents.ts"
import { dieWithAll, killableProcess } from "../park/ParkingStage.ts"
import * as Stage from "../Stage.ts"

const refusals = [
  { name: "a rate limit", options: { rateLimit: { limit: 1, window: "10 minutes" } } },
  { name: "an open breaker", options: { breaker: { failures: 1, openDuration: "10 minutes" } } }
] as const

const denied = new PermissionDenied({ entity: "exchange test.delay.00 (write)", username: "u" })

const stores = Layer.merge(RateLimiter.layerStoreMemory, CircuitBreaker.layerStoreMemory())

/** An event that came back this often, in the queue of a subscriber. */
const suspect = Effect.fnUntraced(function* (stage: Effect.Success<typeof Stage.make>, returns: number) {
  const Happened = numbered()
  const name = fresh()
  yield* stage.broker.declare({ name, ordering: "none", patterns: [Happened.name] })
  const publish = (n: number) =>
    Effect.andThen(Effect.forkChild(stage.bus.publish(Happened, { n }), { startImmediately: true }), Stage.pass(20, 20))
  yield* publish(0)
  yield* dieWithAll(stage.broker, name, returns)
  return { Happened, name, publish }
})

describe("an event that came back and cannot start", () => {
  for (const { name: refusal, options } of refusals)
    it.effect(`P3, N6: six processes end while ${refusal} keeps it from starting: then it is handled`, () =>
      Effect.gen(function* () {
        const stage = yield* Stage.make
        const { Happened, name, publish } = yield* suspect(stage, 0)
        const ledger = makeLedger()
        let fails = "breaker" in options
        const begin = Effect.gen(function* () {
          const process = yield* killableProcess(stage.server)
          yield* process.subscribe(name, {
            ...options,
            events: [Happened],
            retry: Schedule.spaced("1 hour"),
            handler: (event, info) => Effect.suspend(() => (fails ? Effect.fail("down") : ledger.handler(event, info)))
          })
          yield* Stage.pass(2_000, 100)
          return process
        })
        // Takes the only place of the window, or opens the breaker.
        const first = yield* begin
        yield* first.kill
        fails = false
        const before = ledger.entries.length
        yield* publish(1)
        yield* dieWithAll(stage.broker, name, 9)
        for (const life of upTo(6)) {
          const process = yield* begin
          assert.lengthOf(ledger.entries, before, `life ${life}`)
          assert.deepStrictEqual(yield* stage.letters.list(name), [], `life ${life}`)
          yield* process.kill
          yield* Stage.pass(25_000, 1_000)
        }
        yield* begin
        yield* Stage.pass(Stage.minutes(20), 1_000)
        assert.deepStrictEqual(
          ledger.entries.slice(before).map(({ event }) => event.data.n),
          [1]
        )
        assert.deepStrictEqual(yield* stage.letters.list(name), [])
      }).pipe(Effect.provide(Layer.fresh(stores)))
    )

  it.effect("P3: of two subscribers of a process one has an event that ends it: the other's is handled", () =>
    Effect.gen(function* () {
      const stage = yield* Stage.make
      const killer = yield* suspect(stage, 5)
      const innocent = yield* suspect(stage, 9)
      const ledger = makeLedger()
      for (const life of upTo(5)) {
        const process = yield* killableProcess(stage.server)
        yield* process.subscribe(killer.name, { events: [killer.Happened], handler: () => Effect.never })
        yield* Stage.pass(100, 20)
        yield* process.subscribe(innocent.name, { events: [innocent.Happened], handler: ledger.handler })
        // Its copy arrives, and does not start beside the other one either.
        yield* Stage.pass(25_000, 500)
        assert.lengthOf(ledger.entries, 0, `life ${life}`)
        yield* process.kill
        yield* Stage.pass(500, 100)
      }
      const process = yield* killableProcess(stage.server)
      yield* process.subscribe(killer.name, { events: [killer.Happened], handler: () => Effect.never })
      yield* process.subscribe(innocent.name, { events: [innocent.Happened], handler: ledger.handler })
      yield* Stage.pass(Stage.minutes(3), 1_000)
      assert.deepStrictEqual(
        (yield* stage.letters.list(killer.name)).map(({ reason }) => reason),
        ["CrashLoop"]
      )
      assert.deepStrictEqual(yield* stage.letters.list(innocent.name), [])
      assert.deepStrictEqual(ledger.numbers(), [0])
    })
  )

  it.effect(
    "P3: nothing that came back starts before the retry of a suspect is confirmed, or a second has passed",
    () =>
      Effect.gen(function* () {
        for (const confirms of [true, false]) {
          const stage = yield* Stage.make
          const first = yield* suspect(stage, 5)
          const second = yield* suspect(stage, 1)
          const ledger = makeLedger()
          let failed = 0
          const copies: Array<() => void> = []
          const process = yield* killableProcess(stage.server, (broker) => ({
            send: (copy) => {
              if (copy.message.to._tag === "Subscriber") copies.push(() => broker.send(copy))
              else broker.send(copy)
            }
          }))
          yield* process.subscribe(first.name, {
            events: [first.Happened],
            retry: Schedule.spaced("1 minute"),
            handler: () => Effect.andThen(Effect.sleep(500), Effect.fail(++failed))
          })
          yield* Stage.pass(300, 20)
          yield* process.subscribe(second.name, { events: [second.Happened], handler: ledger.handler })
          yield* Stage.pass(600, 20)
          assert.deepStrictEqual([failed, copies.length, ledger.numbers()], [1, 1, []])
          if (confirms) copies.forEach((send) => send())
          yield* Stage.pass(confirms ? 20 : 600, 20)
          assert.deepStrictEqual(ledger.numbers(), confirms ? [0] : [])
          yield* Stage.pass(600, 20)
          assert.deepStrictEqual(ledger.numbers(), [0])
        }
      })
  )

  it.effect("R3: where the broker refuses its copy it waits, and is handled", () =>
    Effect.gen(function* () {
      const stage = yield* Stage.make
      const killer = yield* suspect(stage, 5)
      const { Happened, name } = yield* suspect(stage, 6)
      const ledger = makeLedger()
      let refused = 0
      const process = yield* killableProcess(stage.server, (broker) => ({
        send: (copy) => {
          if (copy.message.to._tag !== "Subscriber") return broker.send(copy)
          refused++
          copy.answered(notSent(new BrokerError({ reason: denied })))
        }
      }))
      yield* process.subscribe(killer.name, {
        events: [killer.Happened],
        handler: () => Effect.sleep("5 seconds")
      })
      yield* Stage.pass(100, 20)
      yield* process.subscribe(name, { events: [Happened], handler: ledger.handler })
      yield* Stage.pass(2_000, 100)
      assert.deepStrictEqual([refused, ledger.entries.length], [1, 0])
      yield* Stage.pass(5_000, 100)
      assert.deepStrictEqual(ledger.numbers(), [0])
      assert.deepStrictEqual(yield* stage.letters.list(name), [])
    })
  )
})
