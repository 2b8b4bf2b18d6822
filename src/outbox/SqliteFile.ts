/**
 * Effect's `SqlClient` over the SQLite that Node brings: for services and examples that have no database server. One
 * connection, transactions one after the other; other processes may use the file at the same time.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { layer as reactivity, type Reactivity } from "effect/reactivity/Reactivity"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as SqlClient from "effect/sql/SqlClient"
import type { Connection } from "effect/sql/SqlConnection"
import { classifySqliteError, SqlError } from "effect/sql/SqlError"
import { makeCompilerSqlite } from "effect/sql/Statement"
import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite"
import * as RowsConnection from "./RowsConnection.ts"

export interface SqliteFileOptions {
  /** Path of the file, which is made when it is missing. `:memory:` is a database of this layer alone. */
  readonly filename: string
  /** How long a statement waits while another process writes. Default 5 seconds. */
  readonly busyMillis?: number
}

/** The connection is closed with the scope. */
export const layer = (options: SqliteFileOptions): Layer.Layer<SqlClient.SqlClient, SqlError> =>
  Layer.effectContext(Effect.map(make(options), (client) => Context.make(SqlClient.SqlClient, client))).pipe(
    Layer.provide(reactivity)
  )

const make = (options: SqliteFileOptions): Effect.Effect<SqlClient.SqlClient, SqlError, Scope.Scope | Reactivity> =>
  Effect.gen(function* () {
    const database = yield* Effect.acquireRelease(open(options), (database) => Effect.sync(() => database.close()))
    const connection = connectionOf(database)
    const acquirers = SqlClient.makeSqliteAcquirers({
      connection: Effect.succeed(connection),
      semaphore: yield* Semaphore.make(1),
      isTransaction: () => database.isTransaction
    })
    return yield* SqlClient.make({
      ...acquirers,
      compiler: makeCompilerSqlite(),
      driver: "sqlite-file",
      spanAttributes: [["db.system.name", "sqlite"]],
      // The lock of a writer is taken at once: a reader that becomes one may have to be rolled back.
      beginTransaction: "BEGIN IMMEDIATE"
    })
  })

const open = ({ busyMillis = 5000, filename }: SqliteFileOptions): Effect.Effect<DatabaseSync, SqlError> =>
  Effect.tryPromise({
    try: async () => {
      const sqlite = await import("node:sqlite")
      const database = new sqlite.DatabaseSync(filename, { timeout: busyMillis })
      // A commit survives the end of the process; with `FULL` also that of the machine.
      database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON")
      return database
    },
    catch: failed("open")
  })

const failed = (operation: string) => (cause: unknown) =>
  new SqlError({ reason: classifySqliteError(cause, { message: `Failed to ${operation}`, operation }) })

/** Prepared statements that are kept; the outbox has a dozen. */
const maxPrepared = 200

const connectionOf = (database: DatabaseSync): Connection => {
  const prepared = new Map<string, StatementSync>()
  const prepare = (sql: string): StatementSync => {
    const known = prepared.get(sql)
    if (known !== undefined) return known
    const made = database.prepare(sql)
    if (prepared.size >= maxPrepared) prepared.clear()
    prepared.set(sql, made)
    return made
  }
  const rowsOf = (sql: string, params: ReadonlyArray<unknown>) =>
    // What SQLite does not take is refused by it, with an error that names the parameter.
    Effect.try({ try: () => prepare(sql).all(...(params as ReadonlyArray<SQLInputValue>)), catch: failed("execute") })
  return RowsConnection.over(rowsOf)
}
