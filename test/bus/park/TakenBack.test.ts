/** A start that was none is taken back: what was refused at its trial is not judged by it (P3). */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as CircuitBreaker from "effect/persistence/CircuitBreaker"
import * as RateLimiter from "effect/persistence/RateLimiter"
import { BrokerError } from "../../../src/bus/port/BrokerError.ts"
import { BrokerRefused } from "../../../src/bus/port/BrokerReason.ts"
import * as MemoryClaims from "../../../src/memory/MemoryClaims.ts"
import { fresh, keyed, upTo } from "../../../src/ports/conformance/setup/TestEvents.ts"
import * as Stage from "../Stage.ts"
import { dieWithAll, killableProcess } from "./ParkingStage.ts"

const refusals = [
  // The first start took the only one.
  { name: "a rate limit", options: { rateLimit: { limit: 1, window: "10 minutes" } } },
  { name: "an open breaker", options: { breaker: { failures: 1, openDuration: "10 minutes" } } },
  { name: "the claim of another process", options: { idempotent: true } }
] as const

const lost = new BrokerError({ reason: new BrokerRefused({ operation: "consume", detail: "a test ends it" }) })

const stores = Layer.merge(RateLimiter.layerStoreMemory, CircuitBreaker.layerStoreMemory())

/** As a handler that fails in another process. */
const openBreaker = (key: string) =>
  Effect.gen(function* () {
    const breaker = yield* CircuitBreaker.make({
      tripPolicy: CircuitBreaker.consecutive(1),
      openDuration: "10 minutes"
    })
    yield* Effect.exit(breaker.execute(Effect.fail("down"), { key }))
  })

describe("starts that were none", () => {
  for (const { name: refusal, options } of refusals)
    it.effect(`P3, N6: the process ends seven times while ${refusal} keeps a suspect from its trial`, () =>
      Effect.gen(function* () {
        const stage = yield* Stage.make
        const claims = yield* MemoryClaims.make
        const Changed = keyed()
        const name = fresh()
        yield* stage.broker.declare({ name, ordering: "key", patterns: [Changed.name] })
        yield* stage.bus
          .publish(Changed, { n: 0, k: "k" }, { id: "0" })
          .pipe(Effect.forkChild({ startImmediately: true }))
        yield* Stage.turns
        yield* dieWithAll(stage.broker, name, 5)
        const started: Array<number> = []
        /** What the copies of the suspect say. */
        const written: Array<unknown> = []
        let hangs = true
        const begin = Effect.gen(function* () {
          const process = yield* killableProcess(
            stage.server,
            (broker) => ({
              send: (copy) => {
                const { headers, to } = copy.message
                if (to._tag === "Parked" && copy.message.properties.messageId === "0")
                  written.push(headers["bus-starts"])
                broker.send(copy)
              }
            }),
            claims
          )
          yield* process.subscribe(name, {
            ...options,
            events: [Changed],
            ordering: "key",
            handler: ({ data: { n } }) =>
              Effect.suspend(() => {
                started.push(n)
                return hangs ? Effect.never : Effect.void
              })
          })
          yield* Stage.pass(2_000, 100)
          return process
        })
        const first = yield* begin
        assert.deepStrictEqual(started, [0])
        yield* first.kill
        yield* Stage.pass(500, 100)
        if ("breaker" in options) yield* openBreaker(`test.${name}`)
        if ("idempotent" in options) {
          const subject = { subscriber: name, source: "suite", type: Changed.name, id: "0" }
          assert.strictEqual((yield* claims.claim(subject, "another process", Stage.minutes(10)))._tag, "Claimed")
        }
        started.length = 0
        written.length = 0
        for (const life of upTo(6)) {
          const process = yield* begin
          assert.deepStrictEqual(started, [], `life ${life}`)
          assert.include(written, 2, "it was tried")
          assert.deepStrictEqual(yield* stage.letters.list(name), [], `life ${life}: ${written}`)
          yield* process.kill
          yield* Stage.pass(500, 100)
        }
        hangs = false
        yield* begin
        yield* Stage.pass(Stage.minutes(20), 1_000)
        assert.deepStrictEqual(started, [0])
        assert.deepStrictEqual(yield* stage.letters.list(name), [])
      }).pipe(Effect.provide(Layer.fresh(stores)))
    )

  it.effect("P5, R1: one that is taken back while its consumer closes frees its lane", () =>
    Effect.gen(function* () {
      const stage = yield* Stage.make
      const Changed = keyed()
      const name = fresh()
      yield* stage.broker.declare({ name, ordering: "key", patterns: [Changed.name] })
      const publish = (n: number) =>
        Effect.andThen(
          Effect.forkChild(stage.bus.publish(Changed, { n, k: "k" }), { startImmediately: true }),
          Stage.pass(20, 20)
        )
      yield* publish(0)
      yield* dieWithAll(stage.broker, name, 5)
      const handled: Array<number> = []
      let hangs = true
      /** Ends the consumers of the subscriber's own queue, and of no other. */
      const lose = new Set<() => void>()
      /** The first copy of the suspect from then on waits. */
      let waiting: Array<() => void> | undefined
      const begin = Effect.gen(function* () {
        const process = yield* killableProcess(stage.server, (broker) => ({
          consume: (options) => {
            if (options.queue !== "parked") lose.add(() => options.onLost(lost))
            return broker.consume(options)
          },
          send: (copy) => {
            if (copy.message.to._tag === "Parked" && waiting?.length === 0) waiting.push(() => broker.send(copy))
            else broker.send(copy)
          }
        }))
        yield* process.subscribe(name, {
          events: [Changed],
          ordering: "key",
          deadline: "10 minutes",
          handler: ({ data: { n } }) =>
            Effect.suspend(() => (hangs ? Effect.never : Effect.sync(() => void handled.push(n))))
        })
        yield* Stage.pass(2_000, 100)
        return process
      })
      const first = yield* begin
      yield* first.kill
      yield* Stage.pass(500, 100)
      lose.clear()
      // Its second start is a trial.
      yield* begin
      hangs = false
      waiting = []
      for (const end of lose) end()
      yield* Stage.pass(2_000, 100)
      assert.lengthOf(waiting, 1, "its start is taken back")
      const late = waiting
      waiting = undefined
      for (const send of late) send()
      yield* publish(1)
      yield* Stage.pass(Stage.minutes(1), 500)
      assert.deepStrictEqual([...new Set(handled)], [0, 1])
    })
  )
})
