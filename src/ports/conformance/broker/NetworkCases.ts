/** A broker that is slow, silent or away for a while: actors restart by themselves (P11). */
import { brokerCase, type BrokerCase } from "./BrokerCase.ts"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as SubscriptionRef from "effect/SubscriptionRef"
import { start } from "../setup/BusProcess.ts"
import { fresh, keyed, numbered, numbers, upTo } from "../setup/TestEvents.ts"
import { makeLedger } from "../setup/HandlerLedger.ts"
import { assert } from "../Assert.ts"
import { until, untilEffect } from "../setup/Waiting.ts"

export const networkCases: ReadonlyArray<BrokerCase> = [
  brokerCase(
    "P13, PUB5, PUB15: beyond the in-flight limit callers wait, then fail as Overloaded; waiting publishes are sent when the broker continues",
    ({ network }) =>
      Effect.gen(function* () {
        const { connect, resume, stall } = yield* network
        const process = yield* start(connect({ inFlight: { count: 2 } }))
        const Happened = numbered()
        const ledger = makeLedger()
        yield* process.subscribe(fresh(), { events: [Happened], handler: ledger.handler })
        yield* process.bus.publish(Happened, { n: 0 })
        yield* stall
        const waiting = yield* Effect.forEach([1, 2, 3], (n) =>
          Effect.forkChild(process.bus.publish(Happened, { n }, { timeout: "30 seconds" }), { startImmediately: true })
        )
        const error = yield* Effect.flip(process.bus.publish(Happened, { n: 4 }, { timeout: "300 millis" }))
        assert.strictEqual(error.reason._tag, "Overloaded")
        assert.isTrue(error.isRetryable)
        yield* resume
        yield* Effect.forEach(waiting, Fiber.join)
        yield* ledger.reaches(4)
        assert.deepStrictEqual(ledger.sorted(), [0, 1, 2, 3])
      })
  ),
  brokerCase(
    "P2: a publish whose answer is lost is Unknown at its deadline; publishing the same id again is confirmed",
    ({ network, remote }) =>
      Effect.gen(function* () {
        const { connect, cut, mend, resume, stall } = yield* network
        const process = yield* start(connect())
        const Happened = numbered()
        const ledger = makeLedger()
        yield* process.subscribe(fresh(), { events: [Happened], handler: ledger.handler })
        yield* process.bus.publish(Happened, { n: 0 })
        if (remote) yield* stall
        const publishing = yield* Effect.forkChild(
          Effect.flip(process.bus.publish(Happened, { n: 1 }, { id: "one", timeout: "500 millis" })),
          { startImmediately: true }
        )
        yield* cut
        const error = yield* Fiber.join(publishing)
        assert.strictEqual(error.reason._tag, "Unknown")
        assert.deepStrictEqual([error.id, error.isRetryable], ["one", true])
        if (remote) yield* resume
        const whileAway = (n: number) => Effect.flip(process.bus.publish(Happened, { n }, { timeout: "300 millis" }))
        // A busy process may not have heard of the cut yet, and sends.
        yield* Effect.repeat(whileAway(3), { until: ({ reason }) => reason._tag !== "Unknown" })
        const away = yield* whileAway(2)
        assert(away.reason._tag === "Unavailable", away.message)
        assert.strictEqual(away.reason.cause._tag, "Connection")
        yield* mend
        yield* process.bus.publish(Happened, { n: 1 }, { id: "one" })
        yield* until(
          () => `${ledger.numbers()}`,
          () => ledger.numbers().includes(1)
        )
        assert.notInclude(ledger.numbers(), 2)
      })
  ),
  brokerCase(
    "P1, P3, P11, PUB1: after two lost connections every confirmed event is handled and every actor runs",
    ({ many, network }) =>
      Effect.gen(function* () {
        const { connect, cut, mend } = yield* network
        const process = yield* start(connect())
        const Happened = numbered()
        const Changed = keyed()
        const name = fresh()
        const [ledger, ordered] = [makeLedger(), makeLedger()]
        const count = many(5_000)
        const subscription = yield* process.subscribe(name, { events: [Happened], handler: ledger.handler })
        yield* process.subscribe(fresh(), { events: [Changed], ordering: "key", handler: ordered.handler })
        const publishers = yield* Effect.forEach(upTo(50), (publisher) =>
          Effect.forEach(
            numbers(count / 50, publisher * (count / 50)),
            (data) => process.bus.publish(Happened, data, { timeout: "60 seconds" }),
            { discard: true }
          ).pipe(Effect.forkChild)
        )
        const inOrder = yield* Effect.forkChild(
          Effect.forEach(upTo(100), (n) => process.bus.publish(Changed, { n, k: "k" }, { timeout: "60 seconds" }), {
            discard: true
          })
        )
        for (const part of [1 / 3, 1 / 2]) {
          yield* ledger.reaches(Math.floor(count * part))
          yield* cut
          yield* mend
        }
        yield* Effect.forEach(publishers, Fiber.join)
        yield* Fiber.join(inOrder)
        const handled = (): number => new Set(ledger.numbers()).size
        yield* until(
          () => `${handled()} of ${count}`,
          () => handled() === count
        )
        yield* until(
          () => `${ordered.entries.length}`,
          () => new Set(ordered.numbers()).size === 100
        )
        // A lost answer may cost a duplicate; without duplicates the order is that of the publishes.
        const firsts = [...new Set(ordered.numbers())]
        assert.deepStrictEqual(firsts, upTo(100))
        yield* untilEffect(
          () => "not running",
          Effect.map(SubscriptionRef.get(subscription.status), ({ _tag }) => _tag === "Running")
        )
        const { restarts } = yield* SubscriptionRef.get(subscription.status)
        assert.isAtLeast(restarts, 1)
      })
  ),
  brokerCase("P11, N23: an ephemeral subscriber is back after a lost connection, and reports the gap", ({ network }) =>
    Effect.gen(function* () {
      const { connect, cut, mend } = yield* network
      const process = yield* start(connect())
      const Happened = numbered()
      const ledger = makeLedger()
      let gaps = 0
      yield* process.bus.subscribeEphemeral({ events: [Happened], handler: ledger.handler, onGap: () => void gaps++ })
      yield* process.bus.publish(Happened, { n: 0 })
      yield* ledger.reaches(1)
      yield* cut
      yield* mend
      yield* untilEffect(
        () => "not back",
        Effect.map(process.bus.publish(Happened, { n: 1 }), ({ routed }) => routed === true)
      )
      yield* until(
        () => `${ledger.numbers()}`,
        () => ledger.numbers().includes(1)
      )
      assert.isAtLeast(gaps, 1)
    })
  ),
  brokerCase(
    "P11, S5: after many lost connections there is exactly one consumer, and every event is handled",
    ({ network }) =>
      Effect.gen(function* () {
        const { connect, cut, mend } = yield* network
        const process = yield* start(connect())
        const Happened = numbered()
        const name = fresh()
        const ledger = makeLedger()
        const subscription = yield* process.subscribe(name, { events: [Happened], handler: ledger.handler })
        for (const n of upTo(6)) {
          yield* process.bus.publish(Happened, { n }, { timeout: "30 seconds" })
          yield* until(
            () => `${n} is not handled`,
            () => ledger.numbers().includes(n)
          )
          const { restarts } = yield* SubscriptionRef.get(subscription.status)
          yield* cut
          yield* untilEffect(
            () => "not noticed",
            Effect.map(SubscriptionRef.get(subscription.status), (status) => status.restarts > restarts)
          )
          yield* mend
          yield* untilEffect(
            () => "not running",
            Effect.map(SubscriptionRef.get(subscription.status), ({ _tag }) => _tag === "Running")
          )
        }
        yield* process.bus.publishAll(Happened, numbers(100, 100))
        yield* until(
          () => `${ledger.entries.length}`,
          () => new Set(ledger.numbers()).size === 106
        )
        yield* untilEffect(
          () => "consumers are left",
          Effect.map(process.broker.depth(name), ({ consumers }) => consumers === 1)
        )
        assert.deepInclude(yield* subscription.stats, { inFlight: 0, zombies: 0 })
      })
  )
]
