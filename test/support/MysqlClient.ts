/** Effect's `SqlClient` over `mysql2`: `@effect/sql-mysql2` is not released for this version of Effect. */
import { Context, Effect, Layer, type Scope } from "effect"
import { layer as reactivity } from "effect/reactivity/Reactivity"
import { SqlClient } from "effect/sql"
import type { Connection } from "effect/sql/SqlConnection"
import { SqlError, UnknownError } from "effect/sql/SqlError"
import { defaultEscape, makeCompiler } from "effect/sql/Statement"
import { createPool, type PoolConnection } from "mysql2/promise"
import * as RowsConnection from "../../src/outbox/RowsConnection.ts"

const failed = (operation: string) => (cause: unknown) =>
  new SqlError({ reason: new UnknownError({ cause, message: String(cause), operation }) })

export const compiler = makeCompiler({
  dialect: "mysql",
  placeholder: () => "?",
  onIdentifier: defaultEscape("`"),
  onRecordUpdate: () => ["", []],
  onCustom: () => ["", []]
})

const connectionOf = (connection: PoolConnection): Connection => {
  const rowsOf = (sql: string, params: ReadonlyArray<unknown>) =>
    Effect.tryPromise({
      try: async () => {
        const [rows] = await connection.query(sql, [...params])
        // What changes rows returns none.
        return (Array.isArray(rows) ? rows : []) as ReadonlyArray<object>
      },
      catch: failed("execute")
    })
  return RowsConnection.over(rowsOf)
}

export const layer = (url: string): Layer.Layer<SqlClient.SqlClient> =>
  Layer.effectContext(
    Effect.gen(function* () {
      const pool = yield* Effect.acquireRelease(
        Effect.sync(() => createPool({ uri: url, connectionLimit: 10 })),
        (pool) => Effect.promise(async () => pool.end())
      )
      const acquirer: Effect.Effect<Connection, SqlError, Scope.Scope> = Effect.map(
        Effect.acquireRelease(
          Effect.tryPromise({ try: async () => pool.getConnection(), catch: failed("connect") }),
          (connection) => Effect.sync(() => connection.release())
        ),
        connectionOf
      )
      const client = yield* SqlClient.make({ acquirer, compiler, driver: "mysql2", spanAttributes: [] })
      return Context.make(SqlClient.SqlClient, client)
    })
  ).pipe(Layer.provide(reactivity))
