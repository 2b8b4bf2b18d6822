/** Processes that share a queue: each event is handled, also while processes come and go (P3). */
import { brokerCase, type BrokerCase } from "./BrokerCase.ts"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import type { Delivery } from "../../../bus/port/Broker.ts"
import { fresh, numbered, numbers, upTo } from "../setup/TestEvents.ts"
import { shared, start } from "../setup/BusProcess.ts"
import { assert } from "../Assert.ts"
import { makeLedger } from "../setup/HandlerLedger.ts"
import { until, untilEffect } from "../setup/Waiting.ts"

export const competingCases: ReadonlyArray<BrokerCase> = [
  brokerCase("P3: events published while no process runs are handled by the next one, each once", ({ connect }) =>
    Effect.gen(function* () {
      const Happened = numbered()
      const name = fresh()
      const first = yield* start(connect())
      yield* first.subscribe(name, { events: [Happened], handler: () => Effect.void })
      yield* first.stop
      const { bus } = yield* shared
      const ids = yield* Effect.forEach(numbers(100), (data) =>
        Effect.map(bus.publish(Happened, data, { headers: { n: data.n } }), ({ id, routed }) => {
          assert.isTrue(routed)
          return id
        })
      )
      const ledger = makeLedger()
      const next = yield* start(connect())
      const subscription = yield* next.subscribe(name, { events: [Happened], handler: ledger.handler })
      yield* ledger.reaches(100)
      assert.deepStrictEqual(ledger.entries.map(({ event }) => event.id).toSorted(), ids.toSorted())
      for (const { event, info } of ledger.entries) {
        assert.strictEqual(info.headers["n"], event.data.n)
        assert.deepStrictEqual([info.attempt, info.redelivered, info.replays], [1, false, 0])
      }
      yield* next.stop
      assert.strictEqual((yield* subscription.stats).handled, 100)
    })
  ),
  brokerCase(
    "competing consumers share one queue: each event is handled once, and each consumer gets some",
    ({ connect, many }) =>
      Effect.gen(function* () {
        const Happened = numbered()
        const name = fresh()
        const count = many(5_000)
        const ledgers = upTo(4).map(makeLedger)
        for (const ledger of ledgers) {
          const { subscribe } = yield* start(connect())
          // Slow enough that no consumer takes everything before the others get some.
          yield* subscribe(name, {
            events: [Happened],
            concurrency: 10,
            handler: (event, info) => Effect.delay(ledger.handler(event, info), 1)
          })
        }
        const { bus } = yield* shared
        yield* Effect.forEach(
          upTo(50),
          (publisher) =>
            Effect.forEach(numbers(count / 50, publisher * (count / 50)), (data) => bus.publish(Happened, data)),
          { concurrency: "unbounded" }
        )
        const all = (): ReadonlyArray<number> => ledgers.flatMap((ledger) => ledger.numbers())
        yield* until(
          () => `${all().length} of ${count}`,
          () => all().length >= count
        )
        assert.deepStrictEqual(
          all().toSorted((a, b) => a - b),
          upTo(count)
        )
        for (const ledger of ledgers) assert.isAbove(ledger.entries.length, 0)
      })
  ),
  brokerCase("P12: a consumer that is closed and opened again handles all events, each once", ({ connect, many }) =>
    Effect.gen(function* () {
      const Happened = numbered()
      const name = fresh()
      const count = many(2_000)
      const ledger = makeLedger()
      const { bus } = yield* shared
      const open = Effect.gen(function* () {
        const process = yield* start(connect())
        yield* process.subscribe(name, {
          events: [Happened],
          handler: (event, info) => Effect.delay(ledger.handler(event, info), 1)
        })
        return process
      })
      let process = yield* open
      const publishing = yield* Effect.forkChild(bus.publishAll(Happened, numbers(count)))
      for (const part of [0.1, 0.3, 0.5, 0.7]) {
        yield* ledger.reaches(Math.floor(count * part))
        yield* process.stop
        process = yield* open
      }
      yield* ledger.reaches(count)
      yield* process.stop
      assert.strictEqual(publishing.pollUnsafe()?._tag, "Success")
      assert.deepStrictEqual(ledger.sorted(), upTo(count))
    })
  ),
  brokerCase(
    "many consumers opened and closed at once leave none behind, and the next one gets every event",
    ({ connect }) =>
      Effect.gen(function* () {
        const { broker, bus } = yield* shared
        const Happened = numbered()
        const name = fresh()
        yield* Effect.forEach(
          upTo(10),
          () =>
            Effect.scoped(
              Effect.gen(function* () {
                const { subscribe } = yield* start(connect())
                yield* subscribe(name, { events: [Happened], handler: () => Effect.void })
              })
            ),
          { concurrency: 5 }
        )
        yield* untilEffect(
          () => "consumers are left",
          Effect.map(broker.depth(name), ({ consumers }) => consumers === 0)
        )
        const ledger = makeLedger()
        yield* bus.subscribe(name, { events: [Happened], handler: ledger.handler })
        yield* bus.publishAll(Happened, numbers(50))
        yield* ledger.reaches(50)
        assert.deepStrictEqual(ledger.sorted(), upTo(50))
      })
  ),
  brokerCase("P3: a flush reports that what was acknowledged has left, at once or later, and once at most", () =>
    Effect.gen(function* () {
      const { broker, bus } = yield* shared
      const Happened = numbered()
      const name = fresh()
      yield* broker.declare({ name, ordering: "none", patterns: [Happened.name] })
      yield* bus.publishAll(Happened, numbers(10))
      const held: Array<Delivery> = []
      const scope = yield* Scope.fork(yield* Effect.scope)
      const consumer = yield* broker
        .consume({
          subscriber: name,
          prefetch: 100,
          onDelivery: (delivery) => void held.push(delivery),
          onLost: () => {}
        })
        .pipe(Scope.provide(scope))
      yield* until(
        () => `${held.length} of 10 delivered`,
        () => held.length === 10
      )
      let reports = 0
      let expected = 0
      for (const { ack } of held.slice(0, 9)) {
        ack()
        if (!consumer.flush(() => void reports++)) expected++
        yield* until(
          () => `${reports} of ${expected} reports`,
          () => reports === expected
        )
      }
      yield* Scope.close(scope, Exit.void)
      assert.isTrue(consumer.flush(() => void reports++))
      assert.strictEqual(reports, expected)
      const ledger = makeLedger()
      yield* bus.subscribe(name, { events: [Happened], handler: ledger.handler })
      yield* ledger.reaches(1)
      // Without a key they come in any order.
      assert.deepStrictEqual(
        ledger.entries.map(({ event }) => event.id),
        [held[9]?.properties.messageId]
      )
    })
  ),
  brokerCase("events that failing processes leave are handled by one that works", ({ connect }) =>
    Effect.gen(function* () {
      const { bus, letters } = yield* shared
      const Happened = numbered()
      const name = fresh()
      let failed = 0
      const retry = Schedule.spaced("20 millis")
      const open = Effect.gen(function* () {
        const process = yield* start(connect())
        yield* process.subscribe(name, {
          events: [Happened],
          retry,
          handler: () => Effect.sync(() => ++failed).pipe(Effect.andThen(Effect.fail("no")))
        })
        return process
      })
      const failing = yield* open
      yield* bus.publishAll(Happened, numbers(50))
      yield* until(
        () => `${failed} failures`,
        () => failed > 100
      )
      yield* failing.stop
      for (const more of [1, 2]) {
        const next = yield* open
        const before = failed
        yield* until(
          () => `${failed} failures`,
          () => failed > before + 50 * more
        )
        yield* next.stop
      }
      const ledger = makeLedger()
      yield* bus.subscribe(name, { events: [Happened], retry, handler: ledger.handler })
      yield* ledger.reaches(50)
      assert.deepStrictEqual(ledger.sorted(), upTo(50))
      assert.strictEqual(yield* letters.count(name), 0)
      for (const { info } of ledger.entries) assert.isAbove(info.attempt, 1)
    })
  )
]
