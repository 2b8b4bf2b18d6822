/** Order where transactions overlap, which SQLite does not have: it has one writer at a time. */
import { assert } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { SqlClient } from "effect/sql"
import { keyed, upTo } from "../../src/ports/conformance/setup/TestEvents.ts"
import { append, caseOf, inTransaction, settled } from "./OutboxCases.ts"
import { collect, relay, until } from "./Setup.ts"

/** What the cases ask of a database itself. */
export interface OrderStatements {
  /** How many transactions wait for a lock: `n`. */
  readonly waiting: string
  /** A time this far from now, as leases have it. */
  readonly fromNow: (millis: number) => string
}

/** MariaDB shows its transactions as they were, for as long as somebody looks more often than every 100 ms. */
const waitingLookMillis = 150

export const onPostgres: OrderStatements = {
  waiting: "SELECT count(*) AS n FROM pg_locks WHERE locktype = 'advisory' AND NOT granted",
  fromNow: (millis) => `now() + interval '${millis} milliseconds'`
}

export const onMaria: OrderStatements = {
  waiting: "SELECT count(*) AS n FROM information_schema.INNODB_TRX WHERE trx_state = 'LOCK WAIT'",
  fromNow: (millis) => String(Date.now() + millis)
}

/** What was sent is marked, or removed. */
const keeping = ["1 day", 0] as const

export const orderCases = ({ fromNow, waiting }: OrderStatements) => [
  ...keeping.map((keepSent) =>
    caseOf(`a transaction that commits last is not left behind, and holds up no other key (${keepSent})`, () =>
      Effect.gen(function* () {
        const Thing = keyed()
        const sql = yield* SqlClient.SqlClient
        const got = yield* collect(Thing)
        const [hasAppended, mayCommit] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
        const long = yield* Effect.forkChild(
          inTransaction(
            append(Thing, { n: 0, k: "slow" }).pipe(
              Effect.andThen(Deferred.succeed(hasAppended, undefined)),
              Effect.andThen(Deferred.await(mayCommit))
            )
          )
        )
        yield* Deferred.await(hasAppended)
        yield* Effect.forEach(upTo(20), (n) => append(Thing, { n, k: "quick" }))
        yield* relay({ keepSent })
        yield* until(() => got.length === 20)
        assert.isTrue(got.every(({ data }) => data.k === "quick"))
        // Their marks wait for nobody either.
        yield* settled
        const same = yield* Effect.forkChild(append(Thing, { n: 1, k: "slow" }))
        const waits = sql.unsafe<{ readonly n: number }>(waiting)
        yield* until(
          Effect.map(waits, ([row]) => Number(row?.n) > 0 || same.pollUnsafe() !== undefined),
          waitingLookMillis
        )
        assert.isUndefined(same.pollUnsafe(), "an append of the key waits for the one before it")
        assert.strictEqual(got.length, 20)
        yield* Deferred.succeed(mayCommit, undefined)
        yield* Fiber.join(long)
        yield* Fiber.join(same)
        yield* until(() => got.length === 22)
        assert.deepStrictEqual(
          got.slice(20).map(({ data }) => data),
          [
            { n: 0, k: "slow" },
            { n: 1, k: "slow" }
          ]
        )
        yield* settled
      })
    )
  ),
  caseOf("a transaction that wrote first and appends later comes later, although its number is smaller", () =>
    Effect.gen(function* () {
      const Thing = keyed()
      const sql = yield* SqlClient.SqlClient
      const got = yield* collect(Thing)
      const [hasWritten, mayAppend] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
      const early = yield* Effect.forkChild(
        inTransaction(
          sql`UPDATE eventbus_outbox_lease SET term = term`.pipe(
            Effect.andThen(Deferred.succeed(hasWritten, undefined)),
            Effect.andThen(Deferred.await(mayAppend)),
            Effect.andThen(append(Thing, { n: 1, k: "a" }))
          )
        )
      )
      yield* Deferred.await(hasWritten)
      yield* append(Thing, { n: 0, k: "a" })
      yield* Deferred.succeed(mayAppend, undefined)
      yield* Fiber.join(early)
      yield* relay()
      yield* until(() => got.length === 2)
      assert.deepStrictEqual(
        got.map(({ data }) => data.n),
        [0, 1]
      )
      yield* settled
    })
  ),
  caseOf("a lease whose time is over goes to another relay, and one from a clock that was set back, too", () =>
    Effect.gen(function* () {
      const Thing = keyed()
      const sql = yield* SqlClient.SqlClient
      const got = yield* collect(Thing)
      yield* sql.unsafe(
        `UPDATE eventbus_outbox_lease SET owner = 'dead', term = 1000, expires_at = ${fromNow(3_600_000)}`
      )
      yield* relay()
      yield* append(Thing, { n: 1, k: "a" })
      yield* until(() => got.length === 1)
      // Whoever has lost it notices at its next renewal: the fence is another.
      yield* sql.unsafe(
        `UPDATE eventbus_outbox_lease SET owner = 'thief', fence = fence + 1, expires_at = ${fromNow(300)}`
      )
      yield* append(Thing, { n: 2, k: "a" })
      yield* until(() => got.length === 2)
      yield* settled
    })
  )
]
