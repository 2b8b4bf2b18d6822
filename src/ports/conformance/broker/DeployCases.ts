/**
 * Deploys: for a while processes of one subscriber run different code. What the bindings of one process bring to another
 * is never lost (P3) and keeps its order by key (P6), and no other key waits for it (P5).
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Event from "../../../event/Event.ts"
import { assert } from "../Assert.ts"
import { shared, start } from "../setup/BusProcess.ts"
import { type Entry, type Ledger, makeLedger, numbersOfKey } from "../setup/HandlerLedger.ts"
import { fresh, keyed, numbered, numbers, upTo } from "../setup/TestEvents.ts"
import { statsBecome, timerTolerance, until } from "../setup/Waiting.ts"
import { brokerCase, type BrokerCase } from "./BrokerCase.ts"

const keys = 5
const pair = (n: number) => ({ n, k: `k${n % keys}` })
const inOrder = (ledger: Ledger, count: number): void => {
  for (const k of upTo(keys))
    assert.deepStrictEqual(
      numbersOfKey(ledger.entries, `k${k}`),
      upTo(count).filter((n) => n % keys === k)
    )
}

const deployCases: ReadonlyArray<BrokerCase> = [
  brokerCase(
    "P3: an event that a deploy adds reaches the processes that know it, whoever gets it first",
    ({ connect }) =>
      Effect.gen(function* () {
        const { bus, letters } = yield* shared
        const [Known, Added] = [numbered(), numbered()]
        const name = fresh()
        const [before, after] = [makeLedger(), makeLedger()]
        const [older, newer] = [yield* start(connect()), yield* start(connect())]
        const subscription = yield* older.subscribe(name, { events: [Known], handler: before.handler })
        yield* newer.subscribe(name, { events: [Known, Added], handler: after.handler })
        const count = 40
        yield* bus.publishAll(Added, numbers(count))
        yield* until(
          () => "nothing reached the older process",
          () => after.entries.length >= count / 4
        )
        // The deploy is over.
        yield* older.stop
        yield* after.reaches(count)
        assert.deepStrictEqual(after.sorted(), upTo(count))
        assert.deepStrictEqual(new Set(after.attempts()), new Set([1]))
        assert.isFalse(after.entries.some(({ info }) => info.firstFailure !== undefined))
        const { deadLettered, postponed, skipped } = yield* subscription.stats
        assert.deepStrictEqual([deadLettered, skipped, before.entries.length], [0, 0, 0])
        assert.isAbove(postponed, 0)
        assert.strictEqual(yield* letters.count(name), 0)
      })
  ),
  brokerCase(
    "P3: in batches and idempotent, too, an added event reaches a process that knows it",
    ({ claims, connect }) =>
      Effect.gen(function* () {
        const { bus } = yield* shared
        const [Known, Added] = [numbered(), numbered()]
        const name = fresh()
        const handled: Array<number> = []
        const open = start(connect().pipe(Layer.provide(claims)))
        const [older, newer] = [yield* open, yield* open]
        const options = { batch: { size: 5, maxWait: "20 millis" }, idempotent: true } as const
        const subscription = yield* older.subscribe(name, {
          ...options,
          events: [Known],
          handler: () => Effect.die("not for it")
        })
        yield* newer.subscribe(name, {
          ...options,
          events: [Known, Added],
          handler: (events) => Effect.sync(() => void handled.push(...events.map(({ data }) => data.n)))
        })
        yield* bus.publishAll(Added, numbers(30))
        yield* until(
          () => `${handled.length} handled`,
          () => handled.length > 0
        )
        yield* older.stop
        yield* until(
          () => `${handled.length} of 30 handled`,
          () => handled.length >= 30
        )
        assert.deepStrictEqual(
          handled.toSorted((a, b) => a - b),
          upTo(30)
        )
        assert.strictEqual((yield* subscription.stats).deadLettered, 0)
      })
  ),
  brokerCase(
    "P3, P6: by key, the active process that does not know an event hands its role to one that does, in order",
    ({ connect }) =>
      Effect.gen(function* () {
        const { bus, letters } = yield* shared
        const [Known, Added] = [keyed(), keyed()]
        const name = fresh()
        const ledger = makeLedger()
        const handledBy: Array<string> = []
        const handler = (process: string) => (event: Entry["event"], info: Entry["info"]) => {
          handledBy.push(process)
          return ledger.handler(event, info)
        }
        const open = Effect.fnUntraced(function* (process: string, events: ReadonlyArray<typeof Known>) {
          const opened = yield* start(connect())
          yield* opened.subscribe(name, { events, ordering: "key", handler: handler(process) })
          return opened
        })
        // Two processes do not know it; the third one, last in line, does.
        yield* open("old 1", [Known])
        yield* open("old 2", [Known])
        yield* open("new", [Known, Added])
        const count = 60
        for (const n of upTo(count)) yield* bus.publish(n % 3 === 1 ? Added : Known, pair(n))
        yield* ledger.reaches(count)
        inOrder(ledger, count)
        assert.strictEqual(ledger.entries.length, count)
        assert.deepStrictEqual(new Set(ledger.attempts()), new Set([1]))
        assert.strictEqual(yield* letters.count(name), 0)
        assert.include(handledBy, "new")
      })
  ),
  brokerCase(
    "P5, P6: while no process knows an event, its key waits and others go on; the next process handles it in order",
    ({ connect }) =>
      Effect.gen(function* () {
        const { bus, letters } = yield* shared
        const [Known, Added] = [keyed(), keyed()]
        const name = fresh()
        const newer = yield* start(connect())
        yield* newer.subscribe(name, { events: [Known, Added], ordering: "key", handler: () => Effect.void })
        // Rolled back: the binding of the added event stays.
        yield* newer.stop
        const [before, after] = [makeLedger(), makeLedger()]
        const older = yield* start(connect())
        const subscription = yield* older.subscribe(name, {
          events: [Known],
          ordering: "key",
          handler: before.handler
        })
        yield* bus.publish(Added, { n: 0, k: "a" })
        for (const n of upTo(9)) yield* bus.publish(Known, { n: n + 1, k: n % 2 === 0 ? "a" : "b" })
        yield* before.reaches(4)
        yield* statsBecome(subscription, { parked: 6 })
        assert.deepStrictEqual(numbersOfKey(before.entries, "b"), [2, 4, 6, 8])
        assert.deepStrictEqual(numbersOfKey(before.entries, "a"), [])
        yield* older.stop
        const again = yield* start(connect())
        yield* again.subscribe(name, { events: [Known, Added], ordering: "key", handler: after.handler })
        yield* after.reaches(6)
        assert.deepStrictEqual(after.numbers(), [0, 1, 3, 5, 7, 9])
        assert.strictEqual(yield* letters.count(name), 0)
      })
  ),
  brokerCase("P3, P6: a newer version waits by key for a process that knows it, in order", ({ connect }) =>
    Effect.gen(function* () {
      const { bus, letters } = yield* shared
      const Old = keyed()
      const New = Event.make(Old.name, {
        version: 2,
        data: Schema.Struct({ n: Schema.Finite, k: Schema.String, unit: Schema.String }),
        key: ({ k }) => k,
        previous: [
          {
            version: 1,
            data: Schema.Struct({ n: Schema.Finite, k: Schema.String }),
            up: (old) => ({ ...old, unit: "percent" })
          }
        ]
      })
      const name = fresh()
      const ledger = makeLedger()
      const [older, newer] = [yield* start(connect()), yield* start(connect())]
      yield* older.subscribe(name, { events: [Old], ordering: "key", handler: ledger.handler })
      yield* newer.subscribe(name, { events: [New], ordering: "key", handler: ledger.handler })
      const count = 30
      for (const n of upTo(count))
        yield* n % 2 === 0 ? bus.publish(Old, pair(n)) : bus.publish(New, { ...pair(n), unit: "points" })
      yield* ledger.reaches(count)
      inOrder(ledger, count)
      assert.strictEqual(yield* letters.count(name), 0)
    })
  ),
  brokerCase("P3: a retired event is acknowledged and counted, by name or by contract", ({ connect }) =>
    Effect.gen(function* () {
      const { bus, letters } = yield* shared
      const [Known, One, Two] = [keyed(), keyed(), keyed()]
      for (const ordering of ["none", "key"] as const) {
        const name = fresh()
        const before = yield* start(connect())
        yield* before.subscribe(name, { events: [Known, One, Two], ordering, handler: () => Effect.void })
        yield* before.stop
        const ledger = makeLedger()
        const subscription = yield* bus.subscribe(name, {
          events: [Known],
          retired: [One, Two.name],
          ordering,
          handler: ledger.handler
        })
        yield* bus.publishAll(One, upTo(3).map(pair))
        yield* bus.publishAll(Two, upTo(3).map(pair))
        yield* bus.publish(Known, pair(7))
        yield* ledger.reaches(1)
        yield* statsBecome(subscription, { skipped: 6, postponed: 0, handled: 1, held: 0 })
        assert.strictEqual(yield* letters.count(name), 0)
      }
    })
  )
]

const drainCases: ReadonlyArray<BrokerCase> = [
  brokerCase(
    "P6, P7, P12: an event that waits in its lane keeps attempt and due time when its process stops in order",
    ({ connect }) =>
      Effect.gen(function* () {
        const { bus } = yield* shared
        const Changed = keyed()
        const name = fresh()
        const [first, second] = [makeLedger(), makeLedger()]
        const options = { events: [Changed], ordering: "key", retry: Schedule.spaced("5 seconds") } as const
        // Its copies have a sixth of this for their confirms. What is cut off goes back as it came.
        const process = yield* start(connect({ drainTimeout: "2 minutes" }))
        yield* process.subscribe(name, {
          ...options,
          handler: (event, info) =>
            Effect.andThen(first.handler(event, info), event.data.n === 0 ? Effect.fail("no") : Effect.void)
        })
        const standby = yield* start(connect())
        yield* standby.subscribe(name, { ...options, handler: second.handler })
        for (const n of upTo(4)) yield* bus.publish(Changed, { n, k: "a" })
        yield* bus.publish(Changed, { n: 9, k: "b" })
        yield* first.reaches(2)
        yield* process.stop
        yield* second.reaches(4)
        assert.deepStrictEqual(numbersOfKey(first.entries, "a"), [0])
        assert.deepStrictEqual(numbersOfKey(second.entries, "a"), upTo(4))
        assert.deepStrictEqual(second.attempts(), [2, 1, 1, 1])
        const waited = (second.entries[0]?.at ?? 0) - (first.entries[0]?.at ?? 0)
        assert.isAtLeast(waited, 5000 - timerTolerance)
        assert.isDefined(second.entries[0]?.info.firstFailure)
      })
  )
]

export const deployAndDrainCases = [...deployCases, ...drainCases]
