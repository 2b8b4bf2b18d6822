/** What every database and every bus keep of the outbox. The cases run one after the other: a relay publishes all there is. */
import { assert } from "@effect/vitest"
import { Baggage, CurrentActor, CurrentBaggage, CurrentTenant, type DeadLetters, EventBus } from "@eduflow/events"
import { Outbox } from "@eduflow/events/outbox"
import { Effect, Fiber, type Scope } from "effect"
import { SqlClient } from "effect/sql"
import * as Schema from "effect/Schema"
import * as Event from "../../src/event/Event.ts"
import * as ConformanceCase from "../../src/ports/conformance/ConformanceCase.ts"
import { fresh, keyed, numbered, upTo } from "../../src/ports/conformance/setup/TestEvents.ts"
import * as Upkeep from "../../src/outbox/Upkeep.ts"
import { ofClient } from "../../src/outbox/Database.ts"
import { collect, relay, rows, until } from "./Setup.ts"

export type World = Outbox | SqlClient.SqlClient | DeadLetters | EventBus | Scope.Scope

export const inTransaction = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.flatMap(SqlClient.SqlClient, (sql) => sql.withTransaction(effect))

export const append = <A>(
  event: Event.Event<string, A>,
  data: A,
  options?: Parameters<Outbox["Service"]["append"]>[2]
) => Effect.flatMap(Outbox, (outbox) => outbox.append(event, data, options))

const database = Effect.map(SqlClient.SqlClient, ofClient)

/** Nothing waits. */
export const settled = until(Effect.map(rows, ({ pending }) => pending === 0))

export const caseOf = (name: string, test: () => Effect.Effect<unknown, unknown, World>) =>
  ConformanceCase.make(name, () => Effect.scoped(test()))

const committing: ReadonlyArray<ConformanceCase.ConformanceCase<World>> = [
  caseOf("an event is published when its transaction has committed, and never when it was rolled back", () =>
    Effect.gen(function* () {
      const Thing = keyed()
      const got = yield* collect(Thing)
      yield* relay()
      yield* Effect.flip(inTransaction(Effect.andThen(append(Thing, { n: 0, k: "a" }), Effect.fail("no"))))
      const { id, position } = yield* inTransaction(append(Thing, { n: 1, k: "a" }))
      yield* until(() => got.length > 0)
      yield* settled
      assert.deepStrictEqual(
        got.map(({ data, id, key, source, type }) => ({ data, id, key, source, type })),
        [{ data: { n: 1, k: "a" }, id, key: "a", source: "shop", type: Thing.name }]
      )
      assert.isAbove(position, 0)
    })
  ),
  caseOf("an event carries its actor, its tenant, its baggage, its cause, its time and its headers", () =>
    Effect.gen(function* () {
      const Thing = numbered()
      const bus = yield* EventBus
      const seen: Array<unknown> = []
      yield* bus.subscribe(fresh("reader"), {
        events: [Thing],
        handler: ({ actor, causationId, correlationId, expiryTime, id, key, tenant, time }, { baggage, headers }) =>
          Effect.sync(() =>
            seen.push({
              actor,
              baggage: baggage?.text,
              causationId,
              correlationId,
              headers,
              id,
              key,
              tenant,
              lifetime: (expiryTime?.getTime() ?? 0) - time.getTime(),
              time: time.getTime()
            })
          )
      })
      const before = Date.now()
      yield* append(
        Thing,
        { n: 1 },
        {
          id: "i-1",
          key: "k\0\uD800",
          causationId: "c-1",
          correlationId: "o-1",
          expiresAfter: "1 hour",
          headers: { tenant: "t", n: 1, b: true }
        }
      ).pipe(
        Effect.provideService(CurrentActor, { id: "u-1", role: "teacher" }),
        Effect.provideService(CurrentTenant, "school\0\uD800"),
        Effect.provideService(CurrentBaggage, Baggage.of({ cohort: "2026/1", note: "\0" }))
      )
      const after = Date.now()
      yield* Effect.sleep(30)
      yield* relay()
      yield* until(() => seen.length > 0)
      const [one] = seen
      const { time, ...rest } = one as { readonly time: number }
      assert.isTrue(time >= before && time <= after, "the time is that of the append")
      assert.deepStrictEqual(rest, {
        actor: { id: "u-1", role: "teacher" },
        baggage: "cohort=2026%2F1,note=%00",
        tenant: "school\0\uD800",
        causationId: "c-1",
        correlationId: "o-1",
        headers: { tenant: "t", n: 1, b: true },
        id: "i-1",
        key: "k\0\uD800",
        lifetime: 3_600_000
      })
    })
  ),
  caseOf("what a publish would refuse is refused by the append, and nothing is written", () =>
    Effect.gen(function* () {
      const Thing = Event.make(fresh(), {
        version: 1,
        data: Schema.Struct({ n: Schema.Finite }),
        publishers: { roles: ["teacher"] }
      })
      const reasons: Array<string> = []
      const attempt = (data: { readonly n: number }, options: object = {}) =>
        Effect.flip(append(Thing, data, options)).pipe(
          Effect.map((error) =>
            reasons.push("reason" in error ? `${error.reason._tag}: ${error.message}` : error.message)
          )
        )
      const asTeacher = Effect.provideService(CurrentActor, { id: "u-1", role: "teacher" })
      yield* attempt({ n: Number.NaN })
      yield* attempt({ n: 1 }).pipe(Effect.provideService(CurrentActor, { id: "u-1", role: "student" }))
      yield* attempt({ n: 1 }, { timeout: "1 second" }).pipe(asTeacher)
      yield* attempt({ n: 1 }, { headers: { "bus-x": "y" } }).pipe(asTeacher)
      yield* attempt({ n: 1 }, { id: "" }).pipe(asTeacher)
      assert.deepStrictEqual(
        reasons.map((reason) => reason.slice(0, 7)),
        ["Invalid", "Denied:", "Invalid", "Invalid", "Invalid"]
      )
      assert.include(reasons[2], "timeout")
      assert.strictEqual((yield* rows).pending, 0)
    })
  )
]

const relaying: ReadonlyArray<ConformanceCase.ConformanceCase<World>> = [
  caseOf("events of a key come in the order of their commits, from many transactions at once", () =>
    Effect.gen(function* () {
      const Thing = keyed()
      const got = yield* collect(Thing)
      yield* relay({ batch: 7 })
      yield* Effect.forEach(
        upTo(6),
        (writer) =>
          Effect.forEach(upTo(20), (round) =>
            inTransaction(
              Effect.forEach(upTo(1 + (round % 3)), (n) => append(Thing, { n: round * 10 + n, k: `k${writer}` }))
            )
          ),
        { concurrency: "unbounded" }
      )
      const expected = upTo(20).flatMap((round) => upTo(1 + (round % 3)).map((n) => round * 10 + n))
      yield* until(() => got.length >= 6 * expected.length)
      for (const writer of upTo(6))
        assert.deepStrictEqual(
          got.filter(({ data }) => data.k === `k${writer}`).map(({ data }) => data.n),
          expected
        )
      yield* settled
    })
  ),
  caseOf(
    "what reaches nobody although it must is set aside with its reason, its key goes on, and a retry publishes it",
    () =>
      Effect.gen(function* () {
        const [Must, May] = [keyed(), keyed()]
        const got = yield* collect(May)
        yield* relay()
        const { id } = yield* append(Must, { n: 1, k: "a" }, { mandatory: true })
        yield* append(May, { n: 2, k: "a" })
        yield* until(() => got.length === 1)
        yield* until(Effect.map(rows, ({ pending, refused }) => pending === 0 && refused === 1))
        const [refused] = yield* Upkeep.refusals(yield* database, 10)
        assert.strictEqual(refused?.id, id)
        assert.match(refused?.reason ?? "", /^Unroutable: no subscriber is bound/)
        const late = yield* collect(Must)
        assert.strictEqual(yield* Upkeep.retry(yield* database, id), 1)
        yield* until(() => late.length === 1)
        yield* settled
        assert.deepStrictEqual((yield* rows).refused, 0)
      })
  ),
  caseOf("a delayed event is delivered when it is due", () =>
    Effect.gen(function* () {
      const Thing = keyed()
      const at: Array<number> = []
      const bus = yield* EventBus
      yield* bus.subscribe(fresh("reader"), { events: [Thing], handler: () => Effect.sync(() => at.push(Date.now())) })
      yield* relay()
      const before = Date.now()
      yield* append(Thing, { n: 1, k: "a" }, { delay: "1 second" })
      yield* until(() => at.length === 1)
      assert.isAtLeast((at[0] ?? 0) - before, 990)
    })
  ),
  caseOf("bodies of a megabyte are read a few at a time", () =>
    Effect.gen(function* () {
      const Thing = Event.make(fresh(), { version: 1, data: Schema.Struct({ n: Schema.Finite, text: Schema.String }) })
      const got = yield* collect(Thing)
      const text = "ä".repeat(450_000)
      yield* inTransaction(Effect.forEach(upTo(12), (n) => append(Thing, { n, text })))
      yield* relay()
      yield* until(() => got.length === 12)
      assert.isTrue(got.every(({ data }) => data.text === text))
      yield* settled
    })
  ),
  caseOf("two relays publish each event once; when one ends the other takes over", () =>
    Effect.gen(function* () {
      const Thing = keyed()
      const got = yield* collect(Thing)
      const first = yield* Effect.forkChild(Effect.scoped(Effect.andThen(relay(), Effect.never)))
      const second = yield* relay()
      const write = (from: number) =>
        Effect.forEach(upTo(100), (n) => append(Thing, { n: from + n, k: `k${n % 10}` }), { concurrency: 4 })
      yield* write(0)
      yield* until(() => got.length >= 100)
      yield* Fiber.interrupt(first)
      yield* write(100)
      yield* until(() => got.length >= 200)
      yield* until(Effect.map(second.status, ({ partitions }) => partitions === 4))
      yield* settled
      assert.deepStrictEqual(
        got.map(({ data }) => data.n).toSorted((a, b) => a - b),
        upTo(200)
      )
    })
  ),
  caseOf("what was published is removed at once, or by its age", () =>
    Effect.gen(function* () {
      const Thing = keyed()
      const sql = yield* SqlClient.SqlClient
      yield* sql`DELETE FROM eventbus_outbox`
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* relay({ keepSent: 0 })
          yield* append(Thing, { n: 1, k: "a" })
          yield* settled
          assert.deepStrictEqual(yield* rows, { pending: 0, sent: 0, refused: 0 })
        })
      )
      yield* relay({ keepSent: "1 hour" })
      yield* inTransaction(Effect.forEach(upTo(5), (n) => append(Thing, { n, k: "a" })))
      yield* settled
      assert.strictEqual(yield* Upkeep.purge(yield* database, "sent", 60_000), 0)
      assert.strictEqual(yield* Upkeep.purge(yield* database, "sent", 0), 5)
    })
  )
]

export const outboxCases = [...committing, ...relaying]
