/** `ordering: "key"` over several processes: order by key (P6) while processes come and go. */
import { makeLedger, numbersOfKey, type Entry } from "../setup/HandlerLedger.ts"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { brokerCase, type BrokerCase } from "./BrokerCase.ts"
import { fresh, keyed, upTo } from "../setup/TestEvents.ts"
import type { DeliveryInfo } from "../../../bus/subscriber/SubscriberOptions.ts"
import { shared, start } from "../setup/BusProcess.ts"
import { until } from "../setup/Waiting.ts"
import { assert } from "../Assert.ts"

/** A handler that notices when two events of one key run at once, in any process. */
const makeWatch = () => {
  const running = new Set<string>()
  const overlaps: Array<string> = []
  return {
    overlaps,
    over: <E, R>(event: Entry["event"], effect: Effect.Effect<void, E, R>): Effect.Effect<void, E, R> =>
      Effect.suspend(() => {
        const key = event.key ?? ""
        if (running.has(key)) overlaps.push(`${key} at ${event.data.n}`)
        running.add(key)
        return Effect.ensuring(
          effect,
          Effect.sync(() => running.delete(key))
        )
      })
  }
}

export const orderHandoverCases: ReadonlyArray<BrokerCase> = [
  brokerCase(
    "P6, N7: each key stays in order over three processes, with failures and changing speed",
    ({ connect, many }) =>
      Effect.gen(function* () {
        const Changed = keyed()
        const name = fresh()
        const keys = 16
        const each = many(60)
        const watch = makeWatch()
        const handled: Array<Entry> = []
        const handler = (event: Entry["event"], info: DeliveryInfo) =>
          watch.over(
            event,
            Effect.gen(function* () {
              const { n } = event.data
              // Spread by the number and not at random, so that each run is the same.
              yield* Effect.sleep((n * 7919) % 5)
              if (n % 11 === 0 && info.attempt === 1) return yield* Effect.fail("first")
              if (n % 17 === 0 && info.attempt < 3) return yield* Effect.die("again")
              handled.push({ event, info, at: 0 })
            })
          )
        const open = Effect.gen(function* () {
          const process = yield* start(connect())
          yield* process.subscribe(name, {
            events: [Changed],
            ordering: "key",
            retry: Schedule.spaced("5 millis"),
            handler
          })
          return process
        })
        const [first] = yield* Effect.all([open, open, open])
        const { bus } = yield* shared
        yield* Effect.forEach(
          upTo(keys),
          (key) => Effect.forEach(upTo(each), (n) => bus.publish(Changed, { n, k: `k${key}` }), { discard: true }),
          { concurrency: "unbounded", discard: true }
        )
        yield* until(
          () => `${handled.length} of ${(keys * each) / 3}`,
          () => handled.length >= (keys * each) / 3
        )
        yield* first.stop
        yield* until(
          () => `${handled.length} of ${keys * each}`,
          () => handled.length >= keys * each
        )
        for (const key of upTo(keys)) assert.deepStrictEqual(numbersOfKey(handled, `k${key}`), upTo(each), `k${key}`)
        assert.deepStrictEqual(watch.overlaps, [])
      })
  ),
  brokerCase(
    "P6, P12, C13, C15: when a process stops, the next one continues each key where it was",
    ({ connect, many }) =>
      Effect.gen(function* () {
        const { bus } = yield* shared
        const Changed = keyed()
        const name = fresh()
        const ledger = makeLedger()
        const watch = makeWatch()
        const count = many(400)
        const open = Effect.gen(function* () {
          const process = yield* start(connect())
          yield* process.subscribe(name, {
            events: [Changed],
            ordering: "key",
            handler: (event, info) => watch.over(event, Effect.delay(ledger.handler(event, info), 2))
          })
          return process
        })
        let process = yield* open
        yield* bus.publishAll(
          Changed,
          upTo(count).map((n) => ({ n, k: `k${n % 4}` }))
        )
        for (const part of [0.2, 0.4, 0.6]) {
          yield* ledger.reaches(Math.floor(count * part))
          // The standby is there before the first process leaves.
          const next = yield* open
          yield* process.stop
          process = next
        }
        yield* ledger.reaches(count)
        for (const k of upTo(4))
          assert.deepStrictEqual(
            numbersOfKey(ledger.entries, `k${k}`),
            upTo(count).filter((n) => n % 4 === k)
          )
        assert.deepStrictEqual(watch.overlaps, [])
      })
  ),
  brokerCase(
    "P6, P12: when a process stops while a key waits for a retry, the next one continues the key in order",
    ({ connect }) =>
      Effect.gen(function* () {
        const { bus } = yield* shared
        const Changed = keyed()
        const name = fresh()
        const [first, second] = [makeLedger(), makeLedger()]
        const process = yield* start(connect())
        yield* process.subscribe(name, {
          events: [Changed],
          ordering: "key",
          retry: Schedule.spaced("3 seconds"),
          handler: (event, info) =>
            Effect.andThen(first.handler(event, info), event.key === "a" ? Effect.fail("no") : Effect.void)
        })
        yield* bus.publishAll(
          Changed,
          upTo(10).map((n) => ({ n, k: n % 2 === 0 ? "a" : "b" }))
        )
        yield* until(
          () => `${first.numbers()}`,
          () => numbersOfKey(first.entries, "b").length === 5
        )
        yield* process.stop
        assert.deepStrictEqual(numbersOfKey(first.entries, "a"), [0])
        yield* bus.subscribe(name, { events: [Changed], ordering: "key", handler: second.handler })
        yield* second.reaches(5)
        assert.deepStrictEqual(second.numbers(), [0, 2, 4, 6, 8])
      })
  )
]
