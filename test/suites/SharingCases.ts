/** Who gets what: competing, fan-out, isolation, many at once (Watermill's 1, 2, 3, 6, 7, 11, 13, 16). */
import { assert } from "@effect/vitest"
import { Effect, Schedule } from "effect"
import * as Event from "../../src/event/Event.ts"
import * as EventGroup from "../../src/event/EventGroup.ts"
import {
  type Bench,
  fresh,
  makeLedger,
  numbered,
  Numbered,
  numbers,
  shared,
  start,
  until,
  untilEffect,
  upTo
} from "./Workbench.ts"

export const sharingCases = ({ connect, features, it }: Bench): void => {
  const many = (count: number): number => Math.ceil(count * features.scale)

  it.effect("P3: what is published while nobody runs is handled by the next one, each once", () =>
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
  )

  it.effect("competing consumers share one queue: each event once, everybody gets some", () =>
    Effect.gen(function* () {
      const Happened = numbered()
      const name = fresh()
      const count = many(5_000)
      const ledgers = upTo(4).map(makeLedger)
      for (const ledger of ledgers) {
        const { subscribe } = yield* start(connect())
        // Slow enough that one alone cannot take everything before the others have had theirs.
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
  )

  it.effect("each name gets everything: groups share nothing", () =>
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
  )

  it.effect("many kinds of events at once: nobody gets another's", () =>
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
  )

  it.effect("names that look alike are other events", () =>
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
  )

  it.effect("a pattern takes what matches it; a subscriber of several gets the union", () =>
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
  )

  it.effect("two bindings that match one event are one delivery", () =>
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
      // A second copy of any of them would be here before this one.
      yield* bus.publish(A, { n: 10 })
      yield* ledger.reaches(11)
      assert.deepStrictEqual(ledger.sorted(), upTo(11))
    })
  )

  it.effect("P12: closed and opened again in the middle: all events, each once", () =>
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
  )

  it.effect("many opened and closed at once leave nothing behind, and the next one gets everything", () =>
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
  )

  it.effect("some that fail and leave do not spoil it for one that works", () =>
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

  it.effect("P10: the scope of a delivery ends with it, however it ends", () =>
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
}
