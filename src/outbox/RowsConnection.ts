/** A connection of Effect's `SqlClient` over a client that gives all rows of a statement at once. */
import * as Effect from "effect/Effect"
import type { Connection } from "effect/sql/SqlConnection"
import type { SqlError } from "effect/sql/SqlError"
import * as Stream from "effect/Stream"

export type RowsOf = (sql: string, params: ReadonlyArray<unknown>) => Effect.Effect<ReadonlyArray<object>, SqlError>

export const over = (rowsOf: RowsOf): Connection => {
  const execute: Connection["execute"] = (sql, params, transform) =>
    transform === undefined ? rowsOf(sql, params) : Effect.map(rowsOf(sql, params), transform)
  const values: Connection["executeValues"] = (sql, params) =>
    Effect.map(rowsOf(sql, params), (rows) => rows.map((row) => Object.values(row)))
  return {
    execute,
    executeRaw: rowsOf,
    executeUnprepared: execute,
    executeValues: values,
    executeValuesUnprepared: values,
    executeStream: (sql, params, transform) =>
      Stream.unwrap(Effect.map(execute(sql, params, transform), (rows) => Stream.fromIterable(rows)))
  }
}
