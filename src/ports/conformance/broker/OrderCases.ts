/** `ordering: "key"`: order by key (P6), and a failing event blocks no other key (P5). */
import { brokerCase, type BrokerCase } from "./BrokerCase.ts"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { shared } from "../setup/BusProcess.ts"
import { fresh, keyed, upTo } from "../setup/TestEvents.ts"
import { makeLedger, numbersOfKey } from "../setup/HandlerLedger.ts"
import { lettersOf, statsBecome, timerTolerance, until } from "../setup/Waiting.ts"
import { assert } from "../Assert.ts"
import { Later, Reject } from "../../../bus/subscriber/HandlerError.ts"

export const orderCases: ReadonlyArray<BrokerCase> = [
  brokerCase("P6: the second event of a key waits for the first; other keys do not", () =>
    Effect.gen(function* () {
      const { bus } = yield* shared
      const Changed = keyed()
      const ledger = makeLedger()
      const gate = yield* Deferred.make<void>()
      yield* bus.subscribe(fresh(), {
        events: [Changed],
        ordering: "key",
        handler: (event, info) =>
          Effect.andThen(ledger.handler(event, info), event.data.n === 0 ? Deferred.await(gate) : Effect.void)
      })
      yield* bus.publishAll(Changed, [
        { n: 0, k: "a" },
        { n: 1, k: "a" },
        { n: 2, k: "b" },
        { n: 3, k: "a" },
        { n: 4, k: "c" }
      ])
      yield* until(
        () => `${ledger.numbers()}`,
        () => ledger.numbers().includes(2) && ledger.numbers().includes(4)
      )
      assert.deepStrictEqual(numbersOfKey(ledger.entries, "a"), [0])
      yield* Deferred.succeed(gate, undefined)
      yield* ledger.reaches(5)
      assert.deepStrictEqual(numbersOfKey(ledger.entries, "a"), [0, 1, 3])
    })
  ),
  brokerCase(
    "P6, C14: a retry of the first event keeps its place: later events of the key wait, other keys go on",
    () =>
      Effect.gen(function* () {
        const { bus } = yield* shared
        const Changed = keyed()
        const ledger = makeLedger()
        yield* bus.subscribe(fresh(), {
          events: [Changed],
          ordering: "key",
          retry: Schedule.spaced("300 millis"),
          handler: (event, info) =>
            Effect.andThen(
              ledger.handler(event, info),
              event.data.n === 0 && info.attempt < 4 ? Effect.fail("no") : Effect.void
            )
        })
        yield* bus.publishAll(Changed, [
          { n: 0, k: "a" },
          ...upTo(20).map((n) => ({ n: n + 1, k: n % 2 === 0 ? "a" : "b" }))
        ])
        yield* ledger.reaches(24)
        assert.deepStrictEqual(numbersOfKey(ledger.entries, "a"), [0, 0, 0, 0, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19])
        const heads = ledger.entries.filter(({ event }) => event.data.n === 0)
        assert.deepStrictEqual(
          heads.map(({ info }) => info.attempt),
          [1, 2, 3, 4]
        )
        for (const i of [0, 1, 2]) {
          assert.isAtLeast((heads[i + 1]?.at ?? 0) - (heads[i]?.at ?? 0), 300 - timerTolerance, "P7: a retry was early")
        }
        const lastOfB = ledger.entries.findLastIndex(({ event }) => event.key === "b")
        assert.isBelow(
          lastOfB,
          ledger.entries.findIndex(({ event, info }) => event.data.n === 0 && info.attempt === 2)
        )
      })
  ),
  brokerCase("P6: Later and Reject within a key keep the order of the other events", () =>
    Effect.gen(function* () {
      const process = yield* shared
      const Changed = keyed()
      const name = fresh()
      const ledger = makeLedger()
      let put = 0
      yield* process.bus.subscribe(name, {
        events: [Changed],
        ordering: "key",
        handler: (event, info) =>
          Effect.gen(function* () {
            if (event.data.n === 3 && put++ < 2) return yield* Later.in("50 millis")
            if (event.data.n === 5) return yield* new Reject({ reason: "five" })
            yield* ledger.handler(event, info)
          })
      })
      yield* process.bus.publishAll(
        Changed,
        upTo(10).map((n) => ({ n, k: "a" }))
      )
      yield* ledger.reaches(9)
      assert.deepStrictEqual(ledger.numbers(), [0, 1, 2, 3, 4, 6, 7, 8, 9])
      assert.deepInclude((yield* lettersOf(process, name, 1))[0], { reason: "Rejected" })
    })
  ),
  brokerCase("P5, C19, N8: an event that always fails is dead-lettered, and its lane goes on", () =>
    Effect.gen(function* () {
      const process = yield* shared
      const Changed = keyed()
      const name = fresh()
      const ledger = makeLedger()
      yield* process.bus.subscribe(name, {
        events: [Changed],
        ordering: "key",
        onBlocked: "dead-letter",
        prefetch: 20,
        retry: Schedule.spaced("1 minute"),
        handler: (event, info) => (event.data.n === 0 ? Effect.fail("never") : ledger.handler(event, info))
      })
      yield* process.bus.publishAll(
        Changed,
        upTo(40).map((n) => ({ n, k: "a" }))
      )
      yield* ledger.reaches(39)
      assert.deepStrictEqual(ledger.numbers(), upTo(40).slice(1))
      const [letter] = yield* lettersOf(process, name, 1)
      assert.deepInclude(letter, { reason: "LaneFull" })
      assert.deepInclude(letter?.error, { tag: "string", message: "never" })
    })
  ),
  brokerCase(
    "P3, P5, P6, N8: what handlers call is away: by default no event loses its retries, and others go on",
    () =>
      Effect.gen(function* () {
        const { bus, letters } = yield* shared
        const Changed = keyed()
        const name = fresh()
        const ledger = makeLedger()
        let isAway = true
        const subscription = yield* bus.subscribe(name, {
          events: [Changed],
          ordering: "key",
          prefetch: 20,
          retry: Schedule.spaced("2 seconds"),
          handler: (event, info) => (isAway && event.key !== "well" ? Effect.fail("away") : ledger.handler(event, info))
        })
        // One key has more than the window holds, and the others fill it together.
        const events = upTo(120).map((n) => ({ n, k: n % 2 === 0 ? "hot" : `k${n % 20}` }))
        yield* bus.publishAll(Changed, events)
        yield* bus.publish(Changed, { n: 120, k: "well" })
        yield* ledger.reaches(1)
        assert.deepStrictEqual(ledger.numbers(), [120])
        isAway = false
        yield* ledger.reaches(121)
        yield* statsBecome(subscription, { held: 0, parked: 0, lanes: 0, deadLettered: 0, returns: 0 })
        for (const key of new Set(events.map(({ k }) => k)))
          assert.deepStrictEqual(
            numbersOfKey(ledger.entries, key),
            events.filter(({ k }) => k === key).map(({ n }) => n)
          )
        assert.deepStrictEqual(yield* letters.list(name), [])
      })
  ),
  brokerCase("P5, P6: a slow key does not keep the window to itself: it is parked, in order, and others go on", () =>
    Effect.gen(function* () {
      const { bus, letters } = yield* shared
      const Changed = keyed()
      const name = fresh()
      const ledger = makeLedger()
      const gate = yield* Deferred.make<void>()
      const subscription = yield* bus.subscribe(name, {
        events: [Changed],
        ordering: "key",
        handler: (event, info) =>
          Effect.gen(function* () {
            yield* ledger.handler(event, info)
            // At this pace a window full of this key takes more than five minutes.
            if (event.data.n === 0) yield* Effect.sleep("1300 millis")
            if (event.data.n === 1) yield* Deferred.await(gate)
          })
      })
      yield* bus.publishAll(
        Changed,
        upTo(300).map((n) => ({ n, k: "slow" }))
      )
      yield* bus.publish(Changed, { n: 300, k: "other" })
      yield* until(
        () => `${ledger.numbers()}`,
        () => ledger.numbers().includes(300)
      )
      assert.deepStrictEqual(numbersOfKey(ledger.entries, "slow"), [0, 1])
      yield* Deferred.succeed(gate, undefined)
      yield* ledger.reaches(301)
      assert.deepStrictEqual(numbersOfKey(ledger.entries, "slow"), upTo(300))
      yield* statsBecome(subscription, { held: 0, parked: 0, lanes: 0, handled: 301, returns: 0 })
      assert.deepStrictEqual(yield* letters.list(name), [])
    })
  ),
  brokerCase("P6: events without a key run beside the lanes", () =>
    Effect.gen(function* () {
      const { bus } = yield* shared
      const Changed = keyed()
      const ledger = makeLedger()
      const gate = yield* Deferred.make<void>()
      yield* bus.subscribe(fresh(), {
        events: [Changed],
        ordering: "key",
        concurrency: 4,
        handler: (event, info) =>
          Effect.andThen(ledger.handler(event, info), event.key === "blocked" ? Deferred.await(gate) : Effect.void)
      })
      yield* bus.publish(Changed, { n: 0, k: "blocked" })
      yield* bus.publishAll(
        Changed,
        upTo(20).map((n) => ({ n: n + 1, k: `k${n}` }))
      )
      yield* ledger.reaches(21)
      yield* Deferred.succeed(gate, undefined)
    })
  )
]
