/** Batches: failures are judged event by event, order and once-only hold, and no event is lost with a partial batch. */
import type { Entry } from "../setup/HandlerLedger.ts"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import { brokerCase, type BrokerCase } from "./BrokerCase.ts"
import { shared, start } from "../setup/BusProcess.ts"
import { fresh, keyed, numbered, numbers, upTo } from "../setup/TestEvents.ts"
import { lettersOf, statsBecome } from "../setup/Waiting.ts"
import { assert } from "../Assert.ts"
import { Later, Reject } from "../../../bus/subscriber/HandlerError.ts"
import * as Batch from "../../../bus/subscriber/Batch.ts"

/** Records batches. */
const makeBook = () => {
  const batches: Array<ReadonlyArray<Entry["event"]>> = []
  const note = (events: ReadonlyArray<Entry["event"]>) => Effect.sync(() => void batches.push(events))
  const all = () => batches.flatMap((batch) => batch.map(({ data }) => data.n))
  return { batches, note, all, sorted: () => all().toSorted((a, b) => a - b) }
}

export const batchCases: ReadonlyArray<BrokerCase> = [
  brokerCase("P3: full batches and a partial last one handle each event once", () =>
    Effect.gen(function* () {
      const { bus } = yield* shared
      const Happened = numbered()
      const book = makeBook()
      const subscription = yield* bus.subscribe(fresh(), {
        events: [Happened],
        batch: { size: 10, maxWait: "100 millis" },
        handler: book.note
      })
      yield* bus.publishAll(Happened, numbers(95))
      yield* statsBecome(subscription, { handled: 95, held: 0 })
      assert.deepStrictEqual(book.sorted(), upTo(95))
      assert.isAtMost(Math.max(...book.batches.map(({ length }) => length)), 10)
      assert.isAtMost(book.batches.length, 40)
    })
  ),
  brokerCase(
    "P3, P7, P8: one bad event of a batch fails alone: it is retried, postponed or dead-lettered, and the others are handled once",
    () =>
      Effect.gen(function* () {
        const { bus, letters } = yield* shared
        const Happened = numbered()
        const name = fresh()
        const tries = new Map<number, Array<number>>()
        const subscription = yield* bus.subscribe(name, {
          events: [Happened],
          batch: { size: 10, maxWait: "50 millis" },
          retry: Schedule.spaced("50 millis").pipe(Schedule.upTo({ times: 2 })),
          handler: (events, deliveries) =>
            Batch.each(
              events,
              ({ data: { n } }, index) =>
                Effect.suspend((): Effect.Effect<void, string | Reject | Later> => {
                  const attempt = deliveries[index]?.attempt ?? 0
                  tries.set(n, [...(tries.get(n) ?? []), attempt])
                  if (n === 3) return Effect.fail("bad")
                  if (n === 5 && attempt === 1) return Effect.fail("flaky")
                  if (n === 7) return Effect.fail(new Reject({ reason: "poison" }))
                  if (n === 9 && (tries.get(n) ?? []).length === 1) return Effect.fail(Later.in("100 millis"))
                  return Effect.void
                }),
              { concurrency: "unbounded" }
            )
        })
        yield* bus.publishAll(Happened, numbers(20))
        yield* statsBecome(subscription, { handled: 18, deadLettered: 2, held: 0 })
        assert.deepStrictEqual(
          [3, 5, 7, 9].map((n) => tries.get(n)),
          [[1, 2, 3], [1, 2], [1], [1, 1]]
        )
        for (const n of upTo(20)) if (![3, 5, 7, 9].includes(n)) assert.deepStrictEqual(tries.get(n), [1], `${n}`)
        const found = yield* lettersOf({ letters }, name, 2)
        assert.deepStrictEqual(
          found.map(({ attempts, error, reason }) => [reason, attempts, error.message]).toSorted(),
          [
            ["Exhausted", 3, "bad"],
            ["Rejected", 1, "poison"]
          ]
        )
      })
  ),
  brokerCase("P7: any other failure of the handler is a failed attempt of each event of the batch", () =>
    Effect.gen(function* () {
      const { bus } = yield* shared
      const Happened = numbered()
      const seen: Array<ReadonlyArray<number>> = []
      const subscription = yield* bus.subscribe(fresh(), {
        events: [Happened],
        batch: { size: 4, maxWait: "1 second" },
        retry: Schedule.spaced("20 millis").pipe(Schedule.upTo({ times: 3 })),
        handler: ([first], deliveries) =>
          Effect.suspend(() => {
            // A consumer begins with one delivery at a time.
            if (first?.data.n === 100) return Effect.void
            seen.push(deliveries.map(({ attempt }) => attempt))
            return deliveries.some(({ attempt }) => attempt < 3) ? Effect.fail("the database is away") : Effect.void
          })
      })
      yield* bus.publish(Happened, { n: 100 })
      yield* statsBecome(subscription, { handled: 1 })
      yield* bus.publishAll(Happened, numbers(4))
      yield* statsBecome(subscription, { handled: 5, retried: 8, held: 0 })
      assert.deepStrictEqual(
        seen,
        upTo(3).map((n) => [n + 1, n + 1, n + 1, n + 1])
      )
    })
  ),
  brokerCase("P6: in keyed batches no two events share a key, and each key stays in order through failures", () =>
    Effect.gen(function* () {
      const { bus } = yield* shared
      const Changed = keyed()
      const done: Array<readonly [string, number]> = []
      const doubled: Array<unknown> = []
      const failed = new Set<number>()
      const subscription = yield* bus.subscribe(fresh(), {
        events: [Changed],
        ordering: "key",
        batch: { size: 8, maxWait: "20 millis" },
        concurrency: 2,
        retry: Schedule.spaced("10 millis").pipe(Schedule.upTo({ times: 3 })),
        handler: (events) => {
          if (new Set(events.map(({ key }) => key)).size < events.length) doubled.push(events)
          return Batch.each(events, ({ data: { k, n } }) =>
            Effect.suspend(() => {
              if (n % 7 === 0 && !failed.has(n)) {
                failed.add(n)
                return Effect.fail("once")
              }
              done.push([k, n])
              return Effect.void
            })
          )
        }
      })
      yield* bus.publishAll(
        Changed,
        upTo(120).map((n) => ({ n, k: `k${n % 12}` }))
      )
      yield* statsBecome(subscription, { handled: 120, held: 0 })
      assert.deepStrictEqual(doubled, [])
      for (const key of upTo(12)) {
        const lane = done.flatMap(([k, n]) => (k === `k${key}` ? [n] : []))
        assert.deepStrictEqual(
          lane,
          upTo(10).map((n) => n * 12 + key)
        )
      }
    })
  ),
  brokerCase(
    "P3, N17: with `idempotent`, each event of a batch has its own done mark, and duplicates are dropped",
    ({ claims, connect }) =>
      Effect.gen(function* () {
        const { bus, subscribe } = yield* start(connect().pipe(Layer.provide(claims)))
        const Happened = numbered()
        const applied: Array<number> = []
        const subscription = yield* subscribe(fresh(), {
          events: [Happened],
          idempotent: true,
          batch: { size: 5, maxWait: "30 millis" },
          concurrency: 3,
          retry: Schedule.spaced("10 millis").pipe(Schedule.upTo({ times: 3 })),
          handler: (events, deliveries) =>
            Batch.each(events, ({ data: { n } }, index) =>
              Effect.suspend(() => {
                if (n % 4 === 0 && deliveries[index]?.attempt === 1) return Effect.fail("once")
                applied.push(n)
                return Effect.void
              })
            )
        })
        for (const round of upTo(3)) {
          yield* Effect.forEach(upTo(20), (n) => bus.publish(Happened, { n }, { id: `${n} of ${Happened.name}` }), {
            concurrency: 10,
            discard: true
          })
          yield* statsBecome(subscription, { handled: 20, duplicates: round * 20, held: 0 })
        }
        assert.deepStrictEqual(
          applied.toSorted((a, b) => a - b),
          upTo(20)
        )
      })
  ),
  brokerCase(
    "P12, P3: a drain does not wait for a batch to fill, and the next process handles the rest",
    ({ connect }) =>
      Effect.gen(function* () {
        const Happened = numbered()
        const name = fresh()
        const book = makeBook()
        const options = {
          events: [Happened],
          batch: { size: 1_000, maxWait: "5 minutes" },
          prefetch: 1_000,
          handler: book.note
        } as const
        const one = yield* start(connect())
        const first = yield* one.subscribe(name, options)
        yield* one.bus.publishAll(Happened, numbers(20))
        // The first one is alone: a consumer begins with one delivery at a time.
        yield* statsBecome(first, { handled: 1, inFlight: 19 })
        assert.isTrue(yield* first.drain)
        assert.deepStrictEqual(book.sorted(), upTo(20))
        const two = yield* start(connect())
        const second = yield* two.subscribe(name, { ...options, batch: { size: 10, maxWait: "20 millis" } })
        yield* two.bus.publishAll(Happened, numbers(20, 20))
        yield* statsBecome(second, { handled: 20, held: 0 })
        assert.deepStrictEqual(book.sorted(), upTo(40))
      })
  )
]
