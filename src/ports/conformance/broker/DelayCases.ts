/** Delayed events: never early (P7), and kept when no subscriber wants them. */
import { brokerCase, type BrokerCase } from "./BrokerCase.ts"
import * as Effect from "effect/Effect"
import { shared } from "../setup/BusProcess.ts"
import { fresh, numbered, upTo } from "../setup/TestEvents.ts"
import { makeLedger } from "../setup/HandlerLedger.ts"
import { assert } from "../Assert.ts"
import { timerTolerance, untilEffect } from "../setup/Waiting.ts"
import { DeadLetters } from "../../../bus/deadletter/DeadLetters.ts"
import * as EventGroup from "../../../event/EventGroup.ts"

export const delayCases: ReadonlyArray<BrokerCase> = [
  brokerCase("N4: delayed events reach every subscriber in the order of their times, none before it is due", () =>
    Effect.gen(function* () {
      const { bus } = yield* shared
      // A busy machine may publish the last one when the first is due, since its levels are declared first: then again with more time.
      for (const unit of [1000, 5000, 20_000]) {
        const Happened = numbered()
        const ledgers = upTo(2).map(makeLedger)
        const published = new Map<number, number>()
        for (const ledger of ledgers) yield* bus.subscribe(fresh(), { events: [Happened], handler: ledger.handler })
        const began = Date.now()
        for (const n of [3, 1, 2, 0]) {
          published.set(n, Date.now())
          const { routed } = yield* bus.publish(Happened, { n }, { delay: n * unit, headers: { n } })
          assert.strictEqual(routed, n === 0 ? true : "later")
        }
        const wasQuick = Date.now() - began < unit / 2
        for (const ledger of ledgers) {
          yield* ledger.reaches(4)
          if (wasQuick) assert.deepStrictEqual(ledger.numbers(), [0, 1, 2, 3])
          for (const { at, event, info } of ledger.entries) {
            assert.isAtLeast(at - (published.get(event.data.n) ?? 0), event.data.n * unit - timerTolerance)
            assert.deepStrictEqual([info.attempt, info.headers, info.firstFailure], [1, { n: event.data.n }, undefined])
          }
        }
        if (wasQuick) return
      }
      assert.fail("no publishes were quick enough")
    })
  ),
  brokerCase(
    "a delay is rounded up to whole seconds; a subscriber added meanwhile gets the event, also by a pattern",
    () =>
      Effect.gen(function* () {
        const { bus } = yield* shared
        // A busy machine may subscribe too late: then again with more time.
        for (const delay of [1100, 10_100, 60_100]) {
          const Happened = numbered()
          const published = Date.now()
          assert.strictEqual((yield* bus.publish(Happened, { n: 1 }, { delay })).routed, "later")
          const ledgers = upTo(2).map(makeLedger)
          yield* bus.subscribe(fresh(), { events: [Happened], handler: ledgers[0]?.handler ?? (() => Effect.void) })
          const [word = ""] = Happened.name.split(".")
          yield* bus.subscribe(fresh(), {
            events: EventGroup.make(Happened).match(`${word}.#`),
            handler: ledgers[1]?.handler ?? (() => Effect.void)
          })
          if (Date.now() - published > delay) continue
          for (const ledger of ledgers) {
            yield* ledger.reaches(1)
            assert.isAtLeast((ledger.entries[0]?.at ?? 0) - published, 1000 * Math.ceil(delay / 1000) - timerTolerance)
          }
          return
        }
        assert.fail("no subscriber was in time")
      })
  ),
  brokerCase("N4: a delayed event without a subscriber is kept, listed, and replayed", () =>
    Effect.gen(function* () {
      const { bus, letters } = yield* shared
      const Happened = numbered()
      const { id } = yield* bus.publish(Happened, { n: 1 }, { delay: "1 second", headers: { tenant: "t" } })
      const selection = { ids: [id] }
      yield* untilEffect(
        () => "not undeliverable",
        Effect.map(letters.list(DeadLetters.undeliverable, selection), ({ length }) => length === 1)
      )
      const [letter] = yield* letters.list(DeadLetters.undeliverable, selection)
      assert.deepInclude(letter, { eventId: id, eventType: Happened.name, reason: "Undeliverable" })
      const ledger = makeLedger()
      yield* bus.subscribe(fresh(), { events: [Happened], handler: ledger.handler })
      assert.strictEqual((yield* letters.replay(DeadLetters.undeliverable, selection)).replayed, 1)
      yield* ledger.reaches(1)
      assert.deepInclude(ledger.entries[0]?.event, { id, data: { n: 1 } })
      assert.deepStrictEqual(ledger.entries[0]?.info.headers, { tenant: "t" })
      assert.deepStrictEqual(yield* letters.list(DeadLetters.undeliverable, selection), [])
      const gone = yield* bus.publish(numbered(), { n: 2 }, { delay: "1 second" })
      yield* untilEffect(
        () => "not undeliverable",
        Effect.map(letters.discard(DeadLetters.undeliverable, { ids: [gone.id] }), ({ discarded }) => discarded === 1)
      )
    })
  )
]
