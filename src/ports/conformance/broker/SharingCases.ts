/** Which subscriber gets which events: fan-out, isolation, many at once. */
import { brokerCase, type BrokerCase } from "./BrokerCase.ts"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { shared, start } from "../setup/BusProcess.ts"
import { Numbered, fresh, numbered, numbers, upTo } from "../setup/TestEvents.ts"
import { makeLedger } from "../setup/HandlerLedger.ts"
import { assert } from "../Assert.ts"
import { until } from "../setup/Waiting.ts"
import * as Event from "../../../event/Event.ts"
import * as EventGroup from "../../../event/EventGroup.ts"

export const sharingCases: ReadonlyArray<BrokerCase> = [
  brokerCase("each subscriber name gets every event", () =>
    Effect.gen(function* () {
      const { bus } = yield* shared
      const Happened = numbered()
      const ledgers = upTo(3).map(makeLedger)
      for (const ledger of ledgers) yield* bus.subscribe(fresh(), { events: [Happened], handler: ledger.handler })
      yield* bus.publishAll(Happened, numbers(50))
      for (const ledger of ledgers) {
        yield* ledger.reaches(50)
        assert.deepStrictEqual(ledger.sorted(), upTo(50))
      }
    })
  ),
  brokerCase("with many kinds of events at once, each subscriber gets its own only", ({ many }) =>
    Effect.gen(function* () {
      const { bus } = yield* shared
      const count = many(100)
      const topics = upTo(20).map(() => ({ Happened: numbered(), ledger: makeLedger() }))
      yield* Effect.forEach(
        topics,
        ({ Happened, ledger }) => bus.subscribe(fresh(), { events: [Happened], handler: ledger.handler }),
        { concurrency: 5 }
      )
      yield* Effect.forEach(topics, ({ Happened }) => bus.publishAll(Happened, numbers(count)), {
        concurrency: "unbounded"
      })
      for (const { Happened, ledger } of topics) {
        yield* ledger.reaches(count)
        assert.deepStrictEqual(ledger.sorted(), upTo(count))
        assert.isTrue(ledger.entries.every(({ event }) => event.type === Happened.name))
      }
    })
  ),
  brokerCase("event names that look alike are different events", () =>
    Effect.gen(function* () {
      const { bus } = yield* shared
      const base = fresh("word")
      const names = [base, `${base}.more`, `${base}-more`, `${base}s`, base.replace(".", "-"), `x.${base}`]
      const topics = names.map((name) => ({ Happened: numbered(name), ledger: makeLedger() }))
      for (const { Happened, ledger } of topics)
        yield* bus.subscribe(fresh(), { events: [Happened], handler: ledger.handler })
      for (const [n, { Happened }] of topics.entries()) yield* bus.publish(Happened, { n })
      for (const [n, { ledger }] of topics.entries()) {
        yield* ledger.reaches(1)
        assert.deepStrictEqual(ledger.numbers(), [n])
      }
    })
  ),
  brokerCase("a pattern selects what matches it; several patterns select the union", () =>
    Effect.gen(function* () {
      const { bus } = yield* shared
      const root = fresh("root")
      const make = <const Word extends string>(word: Word) =>
        Event.make(`${root}.${word}`, { version: 1, data: Numbered })
      const [A, B, Deep] = [make("a"), make("b"), make("c.deep")]
      const group = EventGroup.make(A, B, Deep)
      const taken = { star: makeLedger(), hash: makeLedger(), exact: makeLedger(), both: makeLedger() }
      yield* bus.subscribe(fresh(), { events: group.match(`${root}.*`), handler: taken.star.handler })
      yield* bus.subscribe(fresh(), { events: group.match(`${root}.#`), handler: taken.hash.handler })
      yield* bus.subscribe(fresh(), { events: group.match(`${root}.c.deep`), handler: taken.exact.handler })
      yield* bus.subscribe(fresh(), { events: [A, Deep], handler: taken.both.handler })
      for (const [n, event] of [A, B, Deep].entries()) yield* bus.publish(event, { n })
      yield* taken.star.reaches(2)
      yield* taken.hash.reaches(3)
      yield* taken.exact.reaches(1)
      yield* taken.both.reaches(2)
      assert.deepStrictEqual(
        [taken.star, taken.hash, taken.exact, taken.both].map((ledger) => ledger.sorted()),
        [[0, 1], [0, 1, 2], [2], [0, 2]]
      )
    })
  ),
  brokerCase("two matching bindings are one delivery", ({ connect }) =>
    Effect.gen(function* () {
      const { bus } = yield* shared
      const name = fresh("a")
      const ledger = makeLedger()
      const A = numbered(name)
      const subscriber = fresh()
      const [, last = ""] = name.split(".")
      const first = yield* start(connect())
      yield* first.subscribe(subscriber, { events: EventGroup.make(A).match(`*.${last}`), handler: ledger.handler })
      yield* first.stop
      yield* bus.subscribe(subscriber, { events: [A], handler: ledger.handler })
      yield* bus.publishAll(A, numbers(10))
      yield* ledger.reaches(10)
      // A second copy of any of them would have arrived before this one.
      yield* bus.publish(A, { n: 10 })
      yield* ledger.reaches(11)
      assert.deepStrictEqual(ledger.sorted(), upTo(11))
    })
  ),
  brokerCase("P10: the scope of a delivery ends with it, however it ends", () =>
    Effect.gen(function* () {
      const { bus } = yield* shared
      const Happened = numbered()
      const closed: Array<string> = []
      yield* bus.subscribe(fresh(), {
        events: [Happened],
        deadline: "100 millis",
        retry: Schedule.recurs(0),
        handler: (event) =>
          Effect.gen(function* () {
            yield* Effect.addFinalizer((exit) => Effect.sync(() => void closed.push(`${event.data.n} ${exit._tag}`)))
            if (event.data.n === 1) return yield* Effect.fail("no")
            if (event.data.n === 2) return yield* Effect.never
          })
      })
      yield* bus.publishAll(Happened, numbers(3))
      yield* until(
        () => `${closed}`,
        () => closed.length >= 3
      )
      assert.deepStrictEqual(closed.toSorted(), ["0 Success", "1 Failure", "2 Failure"])
    })
  )
]
