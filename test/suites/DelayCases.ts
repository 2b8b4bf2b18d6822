/** Events that are to be handled later (P7), and those that nobody wants then. */
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { undeliverable } from "../../src/bus/DeadLetters.ts"
import * as EventGroup from "../../src/event/EventGroup.ts"
import { type Bench, fresh, makeLedger, numbered, shared, timerTolerance, untilEffect, upTo } from "./Workbench.ts"

export const delayCases = ({ it }: Bench): void => {
  it.effect(
    "N4: a delayed event reaches every subscriber when it is due, not before, in the order of their times",
    () =>
      Effect.gen(function* () {
        const { bus } = yield* shared
        const Happened = numbered()
        const ledgers = upTo(2).map(makeLedger)
        const published = new Map<number, number>()
        for (const ledger of ledgers) yield* bus.subscribe(fresh(), { events: [Happened], handler: ledger.handler })
        for (const n of [3, 1, 2, 0]) {
          published.set(n, Date.now())
          const { routed } = yield* bus.publish(Happened, { n }, { delay: n * 1000, headers: { n } })
          assert.strictEqual(routed, n === 0 ? true : "later")
        }
        for (const ledger of ledgers) {
          yield* ledger.reaches(4)
          assert.deepStrictEqual(ledger.numbers(), [0, 1, 2, 3])
          for (const { at, event, info } of ledger.entries) {
            assert.isAtLeast(at - (published.get(event.data.n) ?? 0), event.data.n * 1000 - timerTolerance)
            assert.deepStrictEqual([info.attempt, info.headers, info.firstFailure], [1, { n: event.data.n }, undefined])
          }
        }
      })
  )

  it.effect("a delay is rounded up to whole seconds; a subscriber that came meanwhile gets it, by a pattern too", () =>
    Effect.gen(function* () {
      const { bus } = yield* shared
      const Happened = numbered()
      const published = Date.now()
      assert.strictEqual((yield* bus.publish(Happened, { n: 1 }, { delay: "1100 millis" })).routed, "later")
      const ledgers = upTo(2).map(makeLedger)
      yield* bus.subscribe(fresh(), { events: [Happened], handler: ledgers[0]?.handler ?? (() => Effect.void) })
      const [word = ""] = Happened.name.split(".")
      yield* bus.subscribe(fresh(), {
        events: EventGroup.make(Happened).match(`${word}.#`),
        handler: ledgers[1]?.handler ?? (() => Effect.void)
      })
      for (const ledger of ledgers) {
        yield* ledger.reaches(1)
        assert.isAtLeast((ledger.entries[0]?.at ?? 0) - published, 2000 - timerTolerance)
      }
    })
  )

  it.effect("N4: a delayed event that nobody wants is kept, listed, and published again", () =>
    Effect.gen(function* () {
      const { bus, letters } = yield* shared
      const Happened = numbered()
      const { id } = yield* bus.publish(Happened, { n: 1 }, { delay: "1 second", headers: { tenant: "t" } })
      const selection = { ids: [id] }
      yield* untilEffect(
        () => "not undeliverable",
        Effect.map(letters.list(undeliverable, selection), ({ length }) => length === 1)
      )
      const [letter] = yield* letters.list(undeliverable, selection)
      assert.deepInclude(letter, { eventId: id, eventType: Happened.name, reason: "Undeliverable" })
      const ledger = makeLedger()
      yield* bus.subscribe(fresh(), { events: [Happened], handler: ledger.handler })
      assert.strictEqual((yield* letters.replay(undeliverable, selection)).replayed, 1)
      yield* ledger.reaches(1)
      assert.deepInclude(ledger.entries[0]?.event, { id, data: { n: 1 } })
      assert.deepStrictEqual(ledger.entries[0]?.info.headers, { tenant: "t" })
      assert.deepStrictEqual(yield* letters.list(undeliverable, selection), [])
      const gone = yield* bus.publish(numbered(), { n: 2 }, { delay: "1 second" })
      yield* untilEffect(
        () => "not undeliverable",
        Effect.map(letters.discard(undeliverable, { ids: [gone.id] }), ({ discarded }) => discarded === 1)
      )
    })
  )
}
