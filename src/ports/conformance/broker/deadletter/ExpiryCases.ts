/**
 * Events that expire: each is handled before its time, or a dead letter `Expired`, wherever it waited meanwhile (P3). Others of
 * its key go on, in order (P6).
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { Later } from "../../../../bus/subscriber/HandlerError.ts"
import * as Event from "../../../../event/Event.ts"
import { assert } from "../../Assert.ts"
import { shared, start } from "../../setup/BusProcess.ts"
import { type Entry, makeLedger, numbersOfKey } from "../../setup/HandlerLedger.ts"
import { fresh, keyed, numbered, Numbered, upTo } from "../../setup/TestEvents.ts"
import { lettersOf, statsBecome, until } from "../../setup/Waiting.ts"
import { brokerCase, type BrokerCase } from "../BrokerCase.ts"

/** Completes at a time, in milliseconds since the epoch. */
const reached = (at: number): Effect.Effect<void> =>
  until(
    () => "a time",
    () => Date.now() > at
  )

/** A handler that records its events and holds those with this number until `release`. */
const holding = (held: number) => {
  const ledger = makeLedger()
  let isHeld = true
  const begun = { at: 0 }
  return {
    ledger,
    begins: until(
      () => "the handler has not begun",
      () => begun.at > 0
    ),
    release: () => void (isHeld = false),
    handler: (event: Entry["event"], info: Entry["info"]) =>
      Effect.gen(function* () {
        if (event.data.n === held && isHeld) {
          begun.at = Date.now()
          yield* until(
            () => "not released",
            () => !isHeld
          )
        }
        yield* ledger.handler(event, info)
      })
  }
}

export const expiryCases: ReadonlyArray<BrokerCase> = [
  brokerCase("P3: an event that expires while it waits for a handler is a dead letter, and never handled late", () =>
    Effect.gen(function* () {
      const process = yield* shared
      const Happened = numbered()
      const Brief = Event.make(fresh("brief"), { version: 1, data: Numbered, expiresAfter: "300 millis" })
      const name = fresh()
      const play = holding(0)
      const subscription = yield* process.bus.subscribe(name, {
        events: [Happened, Brief],
        concurrency: 1,
        handler: play.handler
      })
      yield* process.bus.publish(Happened, { n: 0 })
      yield* play.begins
      yield* process.bus.publish(Happened, { n: 1 }, { expiresAfter: "300 millis" })
      yield* process.bus.publish(Brief, { n: 2 })
      yield* process.bus.publish(Brief, { n: 3 }, { expiresAfter: "1 hour" })
      yield* process.bus.publish(Happened, { n: 4 })
      yield* reached(Date.now() + 300)
      play.release()
      yield* statsBecome(subscription, { handled: 3, deadLettered: 2, held: 0 })
      assert.deepStrictEqual(play.ledger.sorted(), [0, 3, 4])
      const kept = play.ledger.entries.find(({ event }) => event.data.n === 3)?.event
      assert.strictEqual(kept?.expiryTime?.getTime(), (kept?.time.getTime() ?? 0) + 3_600_000)
      const letters = yield* lettersOf(process, name, 2)
      assert.deepStrictEqual(
        letters.map(({ eventType }) => eventType).toSorted(),
        [Brief.name, Happened.name].toSorted()
      )
      for (const letter of letters) {
        assert.deepInclude(letter, { reason: "Expired", attempts: 0 })
        assert.match(letter.error.message, /^it expired at 20.+Z, .+ before its turn came$/)
      }
    })
  ),
  brokerCase("P3, P6: the next event of the key goes on when one has expired behind another", () =>
    Effect.gen(function* () {
      const process = yield* shared
      const Changed = keyed()
      const name = fresh()
      const play = holding(0)
      const subscription = yield* process.bus.subscribe(name, {
        events: [Changed],
        ordering: "key",
        handler: play.handler
      })
      yield* process.bus.publish(Changed, { n: 0, k: "a" })
      yield* play.begins
      for (const n of [1, 2, 3, 4])
        yield* process.bus.publish(Changed, { n, k: "a" }, n % 2 === 1 ? { expiresAfter: "200 millis" } : {})
      yield* reached(Date.now() + 200)
      play.release()
      yield* statsBecome(subscription, { handled: 3, deadLettered: 2, held: 0 })
      assert.deepStrictEqual(numbersOfKey(play.ledger.entries, "a"), [0, 2, 4])
      const letters = yield* lettersOf(process, name, 2)
      assert.deepStrictEqual(
        letters.map(({ reason }) => reason),
        ["Expired", "Expired"]
      )
    })
  ),
  brokerCase(
    "P3, P6: a retry or a postponement that would come too late is a dead letter at once, and holds no key",
    () =>
      Effect.gen(function* () {
        const process = yield* shared
        const Changed = keyed()
        const name = fresh()
        const ledger = makeLedger()
        const subscription = yield* process.bus.subscribe(name, {
          events: [Changed],
          ordering: "key",
          retry: Schedule.spaced("1 hour"),
          handler: (event, info) =>
            Effect.gen(function* () {
              yield* ledger.handler(event, info)
              if (event.data.n === 0) return yield* Effect.fail("down")
              if (event.data.n === 1) return yield* Effect.fail(Later.in("1 hour"))
            })
        })
        for (const n of upTo(3)) yield* process.bus.publish(Changed, { n, k: "a" }, { expiresAfter: "30 minutes" })
        yield* statsBecome(subscription, { handled: 1, deadLettered: 2, retried: 0, postponed: 0, held: 0 })
        assert.deepStrictEqual(ledger.numbers(), [0, 1, 2])
        const [failed, postponed] = yield* lettersOf(process, name, 2)
        assert.deepInclude(failed, { reason: "Expired", attempts: 1 })
        assert.deepStrictEqual(
          failed?.failures.map(({ message }) => message),
          ["down"]
        )
        assert.match(failed?.error.message ?? "", /^it expires at .+, and its next attempt would start at /)
        assert.deepInclude(postponed, { reason: "Expired", attempts: 0 })
      })
  ),
  brokerCase("P3, P7: an event that expires on its way through the ladder is a dead letter when it comes back", () =>
    Effect.gen(function* () {
      const process = yield* shared
      const Happened = numbered()
      const name = fresh()
      const play = holding(1)
      const tried: Array<number> = []
      const subscription = yield* process.bus.subscribe(name, {
        events: [Happened],
        concurrency: 1,
        retry: Schedule.spaced("1 second"),
        handler: (event, info) =>
          event.data.n === 0
            ? Effect.suspend(() => {
                tried.push(info.attempt)
                return Effect.fail("not yet")
              })
            : play.handler(event, info)
      })
      // Enough for one retry, which finds no handler free.
      yield* process.bus.publish(Happened, { n: 0 }, { expiresAfter: "4 seconds" })
      yield* statsBecome(subscription, { retried: 1 })
      yield* process.bus.publish(Happened, { n: 1 })
      yield* play.begins
      yield* reached(Date.now() + 4000)
      play.release()
      const [letter] = yield* lettersOf(process, name, 1)
      yield* statsBecome(subscription, { handled: 1, held: 0 })
      assert.deepInclude(letter, { reason: "Expired", attempts: tried.length })
      assert.deepStrictEqual(
        tried,
        upTo(tried.length).map((n) => n + 1)
      )
      assert.strictEqual(letter?.failures.length, tried.length)
    })
  ),
  brokerCase(
    "P3, P6: an event that expires while its key is parked is a dead letter, and its key goes on in order",
    () =>
      Effect.gen(function* () {
        const process = yield* shared
        const Changed = keyed()
        const name = fresh()
        const ledger = makeLedger()
        let failing = true
        const subscription = yield* process.bus.subscribe(name, {
          events: [Changed],
          ordering: "key",
          onBlocked: "park",
          prefetch: 8,
          retry: Schedule.spaced("2 seconds"),
          handler: (event, info) =>
            Effect.suspend(() => (failing && event.data.n === 0 ? Effect.fail("not now") : ledger.handler(event, info)))
        })
        for (const n of upTo(20))
          yield* process.bus.publish(Changed, { n, k: "a" }, n % 5 === 4 ? { expiresAfter: "1 second" } : {})
        yield* statsBecome(subscription, { parked: 20 })
        yield* reached(Date.now() + 1000)
        failing = false
        yield* statsBecome(subscription, { parked: 0, held: 0, handled: 16, deadLettered: 4 })
        assert.deepStrictEqual(
          numbersOfKey(ledger.entries, "a"),
          upTo(20).filter((n) => n % 5 !== 4)
        )
        const letters = yield* lettersOf(process, name, 4)
        assert.isTrue(letters.every(({ attempts, reason }) => reason === "Expired" && attempts === 0))
      })
  ),
  brokerCase("P3: an event that expires while its batch fills is a dead letter, and its batch runs without it", () =>
    Effect.gen(function* () {
      const process = yield* shared
      const Happened = Event.make(fresh("happened"), { version: 1, data: Schema.Struct({ n: Schema.Finite }) })
      const name = fresh()
      const batches: Array<ReadonlyArray<number>> = []
      const subscription = yield* process.bus.subscribe(name, {
        events: [Happened],
        batch: { size: 100, maxWait: "3 seconds" },
        retry: Schedule.recurs(0),
        handler: (events) =>
          Effect.suspend(() => {
            const numbers = events.map(({ data }) => data.n).toSorted((a, b) => a - b)
            batches.push(numbers)
            return numbers.includes(3) ? Effect.fail("all of them") : Effect.void
          })
      })
      for (const n of upTo(3))
        yield* process.bus.publish(Happened, { n }, n === 1 ? { expiresAfter: "200 millis" } : {})
      yield* statsBecome(subscription, { handled: 2, deadLettered: 1, held: 0 })
      assert.deepStrictEqual(batches.flat(), [0, 2])
      // A batch of which nothing is left does not run.
      yield* process.bus.publish(Happened, { n: 9 }, { expiresAfter: "200 millis" })
      yield* statsBecome(subscription, { handled: 2, deadLettered: 2, held: 0 })
      assert.deepStrictEqual(batches.flat(), [0, 2])
      const letters = yield* lettersOf(process, name, 2)
      assert.isTrue(letters.every(({ attempts, reason }) => reason === "Expired" && attempts === 0))
    })
  ),
  brokerCase(
    "P3: what an idempotent subscriber handled in time is no dead letter when it comes again too late",
    ({ claims, connect }) =>
      Effect.gen(function* () {
        const process = yield* start(connect().pipe(Layer.provide(claims)))
        const Happened = numbered()
        const name = fresh()
        const play = holding(1)
        const subscription = yield* process.subscribe(name, {
          events: [Happened],
          idempotent: true,
          concurrency: 1,
          handler: play.handler
        })
        const id = fresh()
        yield* process.bus.publish(Happened, { n: 0 }, { id, expiresAfter: "1 hour" })
        yield* statsBecome(subscription, { handled: 1 })
        yield* process.bus.publish(Happened, { n: 1 })
        yield* play.begins
        yield* process.bus.publish(Happened, { n: 0 }, { id, expiresAfter: "1 second" })
        yield* process.bus.publish(Happened, { n: 2 }, { expiresAfter: "1 second" })
        yield* reached(Date.now() + 1000)
        play.release()
        yield* statsBecome(subscription, { handled: 2, duplicates: 1, deadLettered: 1, held: 0 })
        const [letter] = yield* lettersOf(process, name, 1)
        assert.deepInclude(letter, { reason: "Expired", attempts: 0 })
        assert.deepStrictEqual(play.ledger.numbers(), [0, 1])
      })
  )
]
