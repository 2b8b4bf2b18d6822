/** Order where transactions overlap, which SQLite does not have: it has one writer at a time. */
import { assert } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { SqlClient } from "effect/sql"
import { keyed, upTo } from "../../src/ports/conformance/setup/TestEvents.ts"
import { append, caseOf, inTransaction, settled } from "./OutboxCases.ts"
import { collect, relay, until } from "./Setup.ts"

export const orderCases = [
  caseOf("a transaction that appends first and commits last is not left behind, and holds up no other key", () =>
    Effect.gen(function* () {
      const Thing = keyed()
      const sql = yield* SqlClient.SqlClient
      const got = yield* collect(Thing)
      yield* relay()
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
      const same = yield* Effect.forkChild(append(Thing, { n: 1, k: "slow" }))
      const waits = sql<{
        readonly n: number
      }>`SELECT count(*) AS n FROM pg_locks WHERE locktype = 'advisory' AND NOT granted`
      yield* until(Effect.map(waits, ([row]) => Number(row?.n) > 0 || same.pollUnsafe() !== undefined))
      assert.isUndefined(same.pollUnsafe(), "an append of the key waits for the one before it")
      yield* until(() => got.length === 20)
      assert.isTrue(got.every(({ data }) => data.k === "quick"))
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
  ),
  caseOf("a transaction that wrote first and appends later comes later, although its number is smaller", () =>
    Effect.gen(function* () {
      const Thing = keyed()
      const sql = yield* SqlClient.SqlClient
      const got = yield* collect(Thing)
      const [hasWritten, mayAppend] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
      const early = yield* Effect.forkChild(
        inTransaction(
          sql`INSERT INTO eventbus_inbox (subscriber, event) VALUES ('early', 'write')`.pipe(
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
      yield* sql`UPDATE eventbus_outbox_lease SET owner = 'dead', term = 1000, expires_at = now() + interval '1 hour'`
      yield* relay()
      yield* append(Thing, { n: 1, k: "a" })
      yield* until(() => got.length === 1)
      // Whoever has lost it notices at its next renewal: the fence is another.
      yield* sql`UPDATE eventbus_outbox_lease SET owner = 'thief', fence = fence + 1, expires_at = now() + interval '300 milliseconds'`
      yield* append(Thing, { n: 2, k: "a" })
      yield* until(() => got.length === 2)
      yield* settled
    })
  )
]
