/**
 * Handles an event once in a database: the mark that it was handled is written in the transaction of the handler, so both
 * are committed, or neither. A redelivery, a replay or a second process finds the mark, and a process that was killed has
 * left none.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import { SqlClient } from "effect/sql/SqlClient"
import * as Log from "../observe/Log.ts"
import { type Database, ofClient, ofPort } from "./Database.ts"
import * as Once from "./inbox/Once.ts"
import type { Transaction } from "./Outbox.ts"
import type { OutboxError } from "./OutboxError.ts"

export type { Identity } from "./inbox/Once.ts"

/**
 * Marks the event as handled by this subscriber in the transaction of the fiber. Returns whether this is the first time; waits
 * while another transaction handles it.
 */
export const isFirst = (subscriber: string, event: Once.Identity): Effect.Effect<boolean, OutboxError, SqlClient> =>
  Effect.flatMap(SqlClient, (client) => Once.mark(ofClient(client), subscriber, event))

/** The same in a transaction of any other client. */
export const isFirstWith = (
  transaction: Transaction,
  subscriber: string,
  event: Once.Identity
): Effect.Effect<boolean, OutboxError> => Effect.suspend(() => Once.mark(ofPort(transaction), subscriber, event))

/**
 * A handler whose effects in the database happen once for each event. It runs in a transaction; an event that was handled is
 * acknowledged without running it. A subscriber with the option `inbox: true` does the same by itself.
 *
 * @example
 * ```ts
 * import { Event, Subscriber } from "@eduflow/events"
 * import { Inbox } from "@eduflow/events/outbox"
 * import { Effect, Schema } from "effect"
 * import { SqlClient } from "effect/sql"
 *
 * const Paid = Event.make("billing.invoice.paid", { version: 1, data: Schema.Struct({ amount: Schema.Finite }) })
 *
 * export const Ledger = Subscriber.layer("ledger.payments", {
 *   events: [Paid],
 *   handler: Inbox.once("ledger.payments", (event) =>
 *     Effect.flatMap(SqlClient.SqlClient, (sql) => sql`UPDATE ledger SET total = total + ${event.data.amount}`)
 *   )
 * })
 * ```
 */
export const once = Once.once

export interface PurgeOptions {
  /** How long marks are kept: longer than an event can come again, replays of dead letters included. Default 30 days. */
  readonly keep?: Duration.Input
}

/** Deletes old marks, a thousand at a time, every ten minutes. Every process may do it. */
export const purging = (options: PurgeOptions = {}): Layer.Layer<never, never, SqlClient> =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const database = ofClient(yield* SqlClient)
      const log = yield* Log.make
      const millis = Duration.toMillis(Duration.fromInputUnsafe(options.keep ?? "30 days"))
      const purge = purgeMarks(database, millis).pipe(
        Effect.catch((error) =>
          Effect.sync(() => log.warning("old marks of the inbox stay", { detail: error.message }))
        )
      )
      yield* Effect.forkScoped(Effect.repeat(purge, Schedule.spaced("10 minutes")))
    })
  )

const pageSize = 1000

/** Deletes all that are older, in pages; returns their number. */
export const purgeMarks = (database: Database, millis: number): Effect.Effect<number, OutboxError> =>
  Effect.gen(function* () {
    let deleted = 0
    for (;;) {
      const rows = yield* database.run("purge", database.dialect.purgeMarks(millis, pageSize))
      deleted += rows.length
      if (rows.length < pageSize) return deleted
    }
  })
