/** What an operator, or the relay itself, does to the table: count, list, retry, purge. */
import * as Effect from "effect/Effect"
import type { Database } from "./Database.ts"
import { refused, sent } from "./dialects/Dialect.ts"
import type { Row } from "./dialects/Statement.ts"
import type { OutboxError } from "./OutboxError.ts"

export interface Counts {
  /** Committed events that are not published, at most 100,000. */
  readonly pending: number
  readonly refused: number
  readonly oldestSeconds: number
}

const countedUpTo = 100_000
const pageSize = 1000

export const counts = (database: Database): Effect.Effect<Counts, OutboxError> =>
  Effect.map(database.run("count", database.dialect.status(countedUpTo)), ([row = {}]) => ({
    pending: Number(row["pending"]),
    refused: Number(row["refused"]),
    oldestSeconds: Number(row["oldest"])
  }))

/** An event that was set aside. */
export interface Refused {
  readonly position: number
  readonly id: string
  readonly event: string
  readonly key: string | undefined
  readonly reason: string
  readonly appendedAt: Date
  readonly refusedAt: Date
}

/** Oldest first. */
export const refusals = (database: Database, limit: number): Effect.Effect<ReadonlyArray<Refused>, OutboxError> =>
  Effect.map(database.run("read", database.dialect.refused(limit)), (rows) => rows.map(refusedOf))

const refusedOf = (row: Row): Refused => ({
  position: Number(row["position"]),
  id: String(row["event_id"]),
  event: String(row["event"]),
  key: row["event_key"] === null ? undefined : String(row["event_key"]),
  reason: String(row["reason"]),
  appendedAt: new Date(Number(row["appended"])),
  refusedAt: new Date(Number(row["settled"]))
})

/** Makes what was set aside pending again: the event with this id, or all. Returns their number. */
export const retry = (database: Database, id?: string): Effect.Effect<number, OutboxError> =>
  inPages(() => database.run("retry", database.dialect.retry(id ?? null, pageSize)))

/** Deletes what was sent, or set aside, this long ago, a page at a time. Returns its number. */
export const purge = (
  database: Database,
  what: "sent" | "refused",
  olderThanMillis: number
): Effect.Effect<number, OutboxError> =>
  inPages(() =>
    database.run("purge", database.dialect.purge(what === "sent" ? sent : refused, olderThanMillis, pageSize))
  )

/** How many that would delete. */
export const older = (
  database: Database,
  what: "sent" | "refused",
  olderThanMillis: number
): Effect.Effect<number, OutboxError> =>
  Effect.map(
    database.run("count", database.dialect.older(what === "sent" ? sent : refused, olderThanMillis)),
    ([row = {}]) => Number(row["events"])
  )

/** Small transactions: others wait for none of them. */
const inPages = (page: () => Effect.Effect<ReadonlyArray<Row>, OutboxError>): Effect.Effect<number, OutboxError> =>
  Effect.gen(function* () {
    let count = 0
    for (;;) {
      const rows = yield* page()
      count += rows.length
      if (rows.length < pageSize) return count
    }
  })
