/** The inbox: effects in the database of a handler happen once. */
import { assert } from "@effect/vitest"
import { DeadLetters, EventBus } from "@eduflow/events"
import { Inbox } from "@eduflow/events/outbox"
import { Effect, Schedule } from "effect"
import { SqlClient } from "effect/sql"
import { ofClient } from "../../src/outbox/Database.ts"
import { fresh, keyed, upTo } from "../../src/ports/conformance/setup/TestEvents.ts"
import { caseOf } from "./OutboxCases.ts"
import { until } from "./Setup.ts"

export const inboxCases = [
  caseOf("a handler with an inbox changes the database once for each event, however often it comes or fails", () =>
    Effect.gen(function* () {
      const Thing = keyed()
      const bus = yield* EventBus
      const sql = yield* SqlClient.SqlClient
      yield* sql`CREATE TABLE IF NOT EXISTS applied (n integer)`
      const name = fresh("ledger")
      const attempts = new Map<string, number>()
      let runs = 0
      const subscription = yield* bus.subscribe(name, {
        events: [Thing],
        retry: Schedule.spaced("10 millis").pipe(Schedule.upTo({ times: 5 })),
        handler: Inbox.once(
          name,
          ({
            data,
            id
          }: {
            readonly data: { readonly n: number }
            readonly id: string
            readonly source: string
            readonly type: string
          }) =>
            Effect.gen(function* () {
              runs++
              yield* sql`INSERT INTO applied (n) VALUES (${data.n})`
              const attempt = (attempts.get(id) ?? 0) + 1
              attempts.set(id, attempt)
              if (data.n % 3 === 0 && attempt === 1) return yield* Effect.fail("not yet")
              return undefined
            })
        )
      })
      for (const _ of upTo(3))
        yield* Effect.forEach(upTo(12), (n) => bus.publish(Thing, { n, k: `k${n}` }, { id: `${name}-${n}` }), {
          concurrency: "unbounded"
        })
      yield* until(Effect.map(subscription.stats, ({ handled }) => handled === 36))
      const applied = yield* sql<{ readonly n: number }>`SELECT n FROM applied ORDER BY n`
      assert.deepStrictEqual(
        applied.map(({ n }) => Number(n)),
        upTo(12)
      )
      assert.strictEqual(runs, 16)
      yield* sql`DROP TABLE applied`
    })
  ),
  caseOf("with inbox: true, what comes again, fails, is replayed or is cut off changes the database once", () =>
    Effect.gen(function* () {
      const Thing = keyed()
      const bus = yield* EventBus
      const letters = yield* DeadLetters
      const sql = yield* SqlClient.SqlClient
      yield* sql`CREATE TABLE IF NOT EXISTS optioned (n integer)`
      const name = fresh("optioned")
      const attempts = new Map<string, number>()
      let broken = true
      const subscription = yield* bus.subscribe(name, {
        events: [Thing],
        inbox: true,
        deadline: "1 second",
        // SQLite has one writer: while it is held until the deadline, others reach theirs.
        retry: Schedule.spaced("10 millis").pipe(Schedule.upTo({ times: 5 })),
        handler: ({ data, id }) =>
          Effect.gen(function* () {
            yield* sql`INSERT INTO optioned (n) VALUES (${data.n})`
            const attempt = (attempts.get(id) ?? 0) + 1
            attempts.set(id, attempt)
            if (data.n === 0 && broken) return yield* Effect.fail("not yet")
            if (data.n === 1 && attempt === 1) return yield* Effect.die("a defect")
            // Cut off at the deadline, with the transaction open.
            if (data.n === 2 && attempt === 1) return yield* Effect.never
            return undefined
          })
      })
      const publish = (n: number) => bus.publish(Thing, { n, k: `k${n}` }, { id: `${name}-${n}` })
      for (const _ of upTo(2)) yield* Effect.forEach(upTo(6), publish, { concurrency: "unbounded" })
      // Event 0 fails each time and is given up twice.
      yield* until(Effect.map(letters.count(name), (count) => count === 2))
      yield* until(Effect.map(subscription.stats, ({ handled }) => handled === 10))
      broken = false
      yield* letters.replay(name, {})
      yield* until(Effect.map(subscription.stats, ({ handled }) => handled === 12))
      const applied = yield* sql<{ readonly n: number }>`SELECT n FROM optioned ORDER BY n`
      assert.deepStrictEqual(
        applied.map(({ n }) => Number(n)),
        upTo(6)
      )
      yield* sql`DROP TABLE optioned`
    })
  ),
  caseOf("with inbox: true, an effect and its mark are there or not together", () =>
    Effect.gen(function* () {
      const Thing = keyed()
      const bus = yield* EventBus
      const sql = yield* SqlClient.SqlClient
      yield* sql`CREATE TABLE IF NOT EXISTS together (n integer)`
      const name = fresh("together")
      const counts: Array<number> = []
      const ofMarks = Effect.map(
        sql<{ readonly n: number }>`SELECT count(*) AS n FROM eventbus_inbox WHERE subscriber = ${name}`,
        (rows) => Number(rows[0]?.n)
      )
      const subscription = yield* bus.subscribe(name, {
        events: [Thing],
        inbox: true,
        retry: Schedule.recurs(0),
        handler: ({ data }) =>
          Effect.gen(function* () {
            yield* sql`INSERT INTO together (n) VALUES (${data.n})`
            counts.push(yield* ofMarks)
            if (data.n === 0) return yield* Effect.fail("never")
            return undefined
          })
      })
      for (const n of [0, 1]) {
        yield* bus.publish(Thing, { n, k: "k" })
        yield* until(Effect.map(subscription.stats, ({ deadLettered, handled }) => handled + deadLettered > n))
      }
      // In its transaction the handler sees the mark; that of the failure is gone with the row.
      assert.deepStrictEqual(counts, [1, 1])
      assert.strictEqual(yield* ofMarks, 1)
      assert.deepStrictEqual(
        (yield* sql<{ readonly n: number }>`SELECT n FROM together`).map(({ n }) => Number(n)),
        [1]
      )
      yield* sql`DROP TABLE together`
    })
  ),
  caseOf("marks are of a subscriber, and of source, type and id; old ones are removed", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* sql`DELETE FROM eventbus_inbox`
      const event = { id: "1", source: "a", type: "x.y" }
      const results = yield* Effect.forEach(
        [event, event, { ...event, source: "b" }, { ...event, type: "x.z" }, { ...event, id: "2" }],
        (one) => Inbox.isFirst("s", one)
      )
      assert.deepStrictEqual(results, [true, false, true, true, true])
      assert.isTrue(yield* Inbox.isFirst("t", event))
      const error = yield* Effect.flip(Inbox.isFirst("t", { ...event, id: "" }))
      assert.include(error.message, "no id")
      assert.strictEqual(yield* Inbox.purgeMarks(ofClient(sql), 60_000), 0)
      let removed = 0
      // The last mark may have been made in this very millisecond.
      yield* until(Effect.map(Inbox.purgeMarks(ofClient(sql), 0), (count) => (removed += count) >= 5))
      assert.strictEqual(removed, 5)
    })
  )
]
