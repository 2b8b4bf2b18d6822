/** Headers of other programs forge nothing (P15), and what versions bring. */
import { brokerCase, type BrokerCase } from "../BrokerCase.ts"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { shared, start } from "../../setup/BusProcess.ts"
import { Numbered, fresh, numbered, numbers } from "../../setup/TestEvents.ts"
import { makeLedger } from "../../setup/HandlerLedger.ts"
import { lettersOf, statsBecome, until, untilEffect } from "../../setup/Waiting.ts"
import { assert } from "../../Assert.ts"
import { send, sendRaw } from "../../setup/RawMessage.ts"
import type { Outgoing } from "../../../../bus/port/Broker.ts"
import * as Event from "../../../../event/Event.ts"
import * as EventGroup from "../../../../event/EventGroup.ts"

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

export const forgeryCases: ReadonlyArray<BrokerCase> = [
  brokerCase("P15, N3, N26: forged headers of the runtime and the broker are ignored", ({ publishForeign }) =>
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
      yield* publishForeign(
        { name: Happened.name, body: `{"n":1}`, headers: forged, messageId: "real" },
        process.broker
      )
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
      assert.isAbove(letter?.firstFailure?.getTime() ?? 0, 1_000)
    })
  ),
  brokerCase("P15, N26: forged headers are ignored on an unreadable event too", ({ publishForeign }) =>
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
      yield* publishForeign({ name: Happened.name, body: "no JSON", headers: forged, messageId: "bad" }, process.broker)
      const [letter] = yield* lettersOf(process, name, 1)
      assert.deepInclude(letter, { reason: "Invalid", attempts: 1, replays: 0, eventId: "bad", failures: [] })
      assert.isAbove(letter?.firstFailure?.getTime() ?? 0, 1_000)
    })
  ),
  brokerCase(
    "M1, N16: an event of a newer version is postponed, not dead-lettered, until a newer service handles it",
    () =>
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
  ),
  brokerCase(
    "T11, N16: an event of an older binding waits for a process that knows it, or is skipped if it is retired",
    ({ connect }) =>
      Effect.gen(function* () {
        const process = yield* shared
        const [Wanted, Dropped] = [numbered(), numbered()]
        const [name, waiting] = [fresh(), fresh()]
        const before = yield* start(connect())
        for (const subscriber of [name, waiting])
          yield* before.subscribe(subscriber, { events: [Wanted, Dropped], handler: () => Effect.void })
        yield* before.stop
        const [ledger, waitingLedger] = [makeLedger(), makeLedger()]
        const subscription = yield* process.bus.subscribe(name, {
          events: [Wanted],
          retired: [Dropped],
          handler: ledger.handler
        })
        const waits = yield* process.bus.subscribe(waiting, { events: [Wanted], handler: waitingLedger.handler })
        yield* process.bus.publishAll(Dropped, numbers(3))
        yield* process.bus.publish(Wanted, { n: 7 })
        yield* ledger.reaches(1)
        yield* waitingLedger.reaches(1)
        yield* statsBecome(subscription, { skipped: 3 })
        assert.deepStrictEqual([ledger.numbers(), waitingLedger.numbers()], [[7], [7]])
        yield* untilEffect(
          () => "three events are put off",
          Effect.map(waits.stats, ({ postponed }) => postponed >= 3)
        )
        const { deadLettered, skipped } = yield* waits.stats
        assert.deepStrictEqual([deadLettered, skipped], [0, 0])
        assert.strictEqual(yield* process.letters.count(name), 0)
      })
  ),
  brokerCase(
    "P15, N26: an event of another type than its route is a dead letter at path `type`, and a replay keeps it one",
    () =>
      Effect.gen(function* () {
        const process = yield* shared
        const prefix = fresh("route")
        const [A, B] = [numbered(`${prefix}.a`), numbered(`${prefix}.b`)]
        const [name, pattern] = [fresh(), fresh()]
        const [ledger, patternLedger] = [makeLedger(), makeLedger()]
        yield* process.bus.subscribe(name, { events: [A, B], handler: ledger.handler })
        yield* process.bus.subscribe(pattern, {
          events: EventGroup.make(A, B).match(`${prefix}.*`),
          ordering: "key",
          handler: patternLedger.handler
        })
        const body = (type: string, n: number): string =>
          JSON.stringify({ specversion: "1.0", id: `e-${n}`, source: "s", type, data: { n } })
        yield* sendRaw(process.broker, A.name, body(B.name, 1), {}, { type: B.name })
        // The property is for tools.
        yield* sendRaw(process.broker, A.name, body(A.name, 2), {}, { type: B.name })
        for (const subscriber of [name, pattern]) {
          const expected = {
            reason: "Invalid",
            attempts: 1,
            eventType: A.name,
            eventId: "e-1",
            error: {
              tag: "InvalidEvent",
              message: `event "${A.name}" is invalid: type: expected "${A.name}", its routing key, not "${B.name}"`,
              stack: undefined
            }
          }
          const [letter] = yield* lettersOf(process, subscriber, 1)
          assert.deepInclude(letter, expected)
          yield* process.letters.replay(subscriber)
          yield* untilEffect(
            () => `${subscriber}: the replayed letter is back`,
            Effect.map(process.letters.list(subscriber), (letters) => letters.some(({ replays }) => replays === 1))
          )
          assert.deepInclude((yield* lettersOf(process, subscriber, 1))[0], { ...expected, replays: 1 })
        }
        yield* ledger.reaches(1)
        yield* patternLedger.reaches(1)
        assert.deepStrictEqual([ledger.numbers(), patternLedger.numbers()], [[2], [2]])
      })
  ),
  brokerCase("P15: a delayed event has the type of its route, too, and nothing else is remembered of it", () =>
    Effect.gen(function* () {
      const process = yield* shared
      const cached = (name = fresh("happened")) => Event.make(name, { version: 1, data: Numbered })
      const [A, B] = [cached(), cached()]
      const name = fresh()
      const ledger = makeLedger()
      yield* process.bus.subscribe(name, { events: [A, B], handler: ledger.handler })
      const message = (route: string, type: string, n: number): Outgoing => ({
        to: { _tag: "DelayedEvent", name: route, seconds: 1 },
        key: undefined,
        body: Buffer.from(
          JSON.stringify({
            specversion: "1.0",
            id: `d-${n}`,
            source: "s",
            time: new Date().toISOString(),
            type,
            data: { n }
          })
        ),
        properties: {
          messageId: `d-${n}`,
          type,
          timestamp: Date.now(),
          appId: "s",
          contentType: "application/cloudevents+json"
        },
        headers: { "bus-delayed": true }
      })
      yield* send(process.broker, message(A.name, B.name, 1))
      yield* send(process.broker, message(A.name, A.name, 2))
      const [letter] = yield* lettersOf(process, name, 1)
      assert.deepInclude(letter, { reason: "Invalid", eventType: A.name, eventId: "d-1" })
      yield* ledger.reaches(1)
      assert.deepStrictEqual(ledger.numbers(), [2])
      assert.isTrue(Option.isNone(yield* process.cache.last(B)))
    })
  )
]
