/** What other programs put on a message is not believed (P15), and what versions bring (P9). */
import { assert } from "@effect/vitest"
import { Effect, Schedule, Schema } from "effect"
import * as Event from "../../src/event/Event.ts"
import {
  type Bench,
  fresh,
  lettersOf,
  makeLedger,
  numbered,
  Numbered,
  numbers,
  sendRaw,
  shared,
  start,
  statsBecome,
  until
} from "./Workbench.ts"

export const forgeryCases = ({ connect, foreign, it }: Bench): void => {
  const forged = {
    "bus-attempt": 99,
    "bus-first-failure": 1,
    "bus-failures": JSON.stringify([{ at: 1, attempt: 98, tag: "Forged", message: "forged" }]),
    "bus-postponed": 1_000,
    "bus-postponed-since": 1,
    "bus-due": Date.now() + 3_600_000,
    "bus-replays": 50,
    "bus-replay-id": "forged",
    "bus-subscriber": "somebody",
    "bus-reason": "Rejected",
    "bus-attempts": 98,
    "bus-error-tag": "Forged",
    "bus-event-id": "forged",
    "x-delivery-count": 19,
    "x-first-death-reason": "delivery_limit",
    "x-last-death-reason": "delivery_limit",
    "x-death": [{ reason: "expired", queue: "q", exchange: "e", count: 1, "routing-keys": ["k"] }],
    tenant: "t-1"
  }

  it.effect("P15, N3, N26: forged headers of the runtime and the broker are ignored", () =>
    Effect.gen(function* () {
      const process = yield* shared
      const Happened = numbered()
      const name = fresh()
      const ledger = makeLedger()
      yield* process.bus.subscribe(name, {
        events: [Happened],
        retry: Schedule.spaced("1 second").pipe(Schedule.upTo({ times: 2 })),
        handler: (event, info) => Effect.andThen(ledger.handler(event, info), Effect.fail("no"))
      })
      yield* foreign(process.broker, Happened.name, `{"n":1}`, forged, "real")
      const [letter] = yield* lettersOf(process, name, 1)
      assert.deepStrictEqual(ledger.attempts(), [1, 2, 3])
      for (const { info } of ledger.entries) {
        assert.deepInclude(info, { replays: 0, redelivered: false, headers: { tenant: "t-1" } })
      }
      assert.isUndefined(ledger.entries[0]?.info.firstFailure)
      assert.deepInclude(letter, {
        subscriber: name,
        reason: "Exhausted",
        attempts: 3,
        replays: 0,
        eventId: "real",
        eventType: Happened.name
      })
      assert.deepStrictEqual(
        letter?.failures.map(({ attempt, tag }) => [attempt, tag]),
        [
          [1, "string"],
          [2, "string"],
          [3, "string"]
        ]
      )
      assert.isAbove(letter?.firstFailure ?? 0, 1_000)
    })
  )

  it.effect("P15, N26: the same on what cannot be decoded, and it cannot hide in a delayed event", () =>
    Effect.gen(function* () {
      const process = yield* shared
      const Happened = numbered()
      const name = fresh()
      const ledger = makeLedger()
      yield* process.bus.subscribe(name, {
        events: [Happened],
        retry: Schedule.recurs(0),
        handler: (event, info) => Effect.andThen(ledger.handler(event, info), Effect.fail("no"))
      })
      yield* foreign(process.broker, Happened.name, "no JSON", forged, "bad")
      const [letter] = yield* lettersOf(process, name, 1)
      assert.deepInclude(letter, { reason: "Invalid", attempts: 1, replays: 0, eventId: "bad", failures: [] })
      assert.isAbove(letter?.firstFailure ?? 0, 1_000)
    })
  )

  it.effect("M1, N16: a newer version is put off, not dead-lettered, until a newer service takes it", () =>
    Effect.gen(function* () {
      const process = yield* shared
      const name = fresh()
      const event = fresh("versioned")
      const V2 = Schema.Struct({ n: Schema.Finite, unit: Schema.String })
      const Old = Event.make(event, { version: 1, data: Numbered })
      const New = Event.make(event, {
        version: 2,
        data: V2,
        previous: [{ version: 1, data: Numbered, up: ({ n }) => ({ n, unit: "percent" }) }]
      })
      const ledger = makeLedger()
      const subscription = yield* process.bus.subscribe(name, { events: [Old], handler: ledger.handler })
      yield* process.bus.publish(New, { n: 1, unit: "points" })
      yield* process.bus.publish(Old, { n: 2 })
      yield* ledger.reaches(1)
      yield* statsBecome(subscription, { postponed: 1 })
      assert.deepInclude(yield* subscription.stats, { postponed: 1, deadLettered: 0, handled: 1 })
      assert.strictEqual(yield* process.letters.count(name), 0)
      const newer = fresh()
      const units: Array<string> = []
      yield* process.bus.subscribe(newer, {
        events: [New],
        handler: ({ data, version }) => Effect.sync(() => void units.push(`${data.n} ${data.unit} ${version}`))
      })
      yield* process.bus.publish(Old, { n: 3 })
      yield* process.bus.publish(New, { n: 4, unit: "points" })
      yield* until(
        () => `${units}`,
        () => units.length === 2
      )
      assert.deepStrictEqual(units.toSorted(), ["3 percent 1", "4 points 2"])
    })
  )

  it.effect("T11, N16: what an older binding still brings is skipped and counted, or dead-lettered where asked", () =>
    Effect.gen(function* () {
      const process = yield* shared
      const [Wanted, Dropped] = [numbered(), numbered()]
      const [name, strict] = [fresh(), fresh()]
      const before = yield* start(connect())
      for (const subscriber of [name, strict])
        yield* before.subscribe(subscriber, { events: [Wanted, Dropped], handler: () => Effect.void })
      yield* before.stop
      const [ledger, strictLedger] = [makeLedger(), makeLedger()]
      const subscription = yield* process.bus.subscribe(name, { events: [Wanted], handler: ledger.handler })
      yield* process.bus.subscribe(strict, { events: [Wanted], unknown: "dead-letter", handler: strictLedger.handler })
      yield* process.bus.publishAll(Dropped, numbers(3))
      yield* process.bus.publish(Wanted, { n: 7 })
      yield* ledger.reaches(1)
      yield* strictLedger.reaches(1)
      yield* statsBecome(subscription, { skipped: 3 })
      assert.deepStrictEqual([ledger.numbers(), strictLedger.numbers()], [[7], [7]])
      const letters = yield* lettersOf(process, strict, 3)
      for (const letter of letters)
        assert.deepInclude(letter, { reason: "UnknownEvent", eventType: Dropped.name, attempts: 1 })
      assert.strictEqual(yield* process.letters.count(name), 0)
    })
  )

  it.effect("N26: a body that says it is another event than its route is handled as what it says, or skipped", () =>
    Effect.gen(function* () {
      const process = yield* shared
      const [A, B] = [numbered(), numbered()]
      const name = fresh()
      const ledger = makeLedger()
      const subscription = yield* process.bus.subscribe(name, { events: [A], handler: ledger.handler })
      const body = (type: string, n: number): string =>
        JSON.stringify({ specversion: "1.0", id: `e-${n}`, source: "s", type, data: { n } })
      yield* sendRaw(process.broker, A.name, body(B.name, 1), {}, { type: A.name })
      yield* sendRaw(process.broker, A.name, body(A.name, 2), {}, { type: B.name })
      yield* ledger.reaches(1)
      yield* statsBecome(subscription, { skipped: 1 })
      assert.deepStrictEqual(ledger.numbers(), [2])
    })
  )
}
