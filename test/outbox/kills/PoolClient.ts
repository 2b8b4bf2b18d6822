/** Effect's `SqlClient` over a pool, each of whose statements goes through a function of the test. */
import { PgClient } from "@effect/sql-pg"
import { Context, Effect, Layer, type Scope } from "effect"
import { layer as reactivity } from "effect/reactivity/Reactivity"
import { SqlClient } from "effect/sql"
import type { Connection } from "effect/sql/SqlConnection"
import { SqlError, UnknownError } from "effect/sql/SqlError"
import * as RowsConnection from "../../../src/outbox/RowsConnection.ts"
import { compiler as mysql } from "../../support/MysqlClient.ts"
import type { Client, ClientPool } from "./Client.ts"

export type Run = (client: Client, text: string, parameters: ReadonlyArray<unknown>) => Promise<ReadonlyArray<object>>

const failed = (operation: string) => (cause: unknown) =>
  new SqlError({ reason: new UnknownError({ cause, message: String(cause), operation }) })

/** After a statement that failed the connection is used no more: the database may have been killed. */
const acquire = (pool: ClientPool): Effect.Effect<Client, SqlError, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.tryPromise({
        try: async () => {
          const { query, release } = await pool.acquire()
          let hasFailed = false
          const client: Client = {
            query: async (text, parameters) => {
              try {
                return await query(text, parameters)
              } catch (error) {
                hasFailed = true
                throw error
              }
            }
          }
          return { client, end: () => release(hasFailed) }
        },
        catch: failed("connect")
      }),
      ({ end }) => Effect.sync(end)
    ),
    ({ client }) => client
  )

export const layer = (pool: ClientPool, run: Run): Layer.Layer<SqlClient.SqlClient> =>
  Layer.effectContext(
    Effect.gen(function* () {
      const acquirer: Effect.Effect<Connection, SqlError, Scope.Scope> = Effect.map(acquire(pool), (client) =>
        RowsConnection.over((text, parameters) =>
          // A statement that was held back while its handler was cut off would run in the next transaction otherwise.
          Effect.uninterruptible(
            Effect.tryPromise({ try: () => run(client, text, parameters), catch: failed("execute") })
          )
        )
      )
      const client = yield* SqlClient.make({
        acquirer,
        compiler: pool.dialect === "mysql" ? mysql : PgClient.makeCompiler(),
        driver: "pool",
        spanAttributes: []
      })
      return Context.make(SqlClient.SqlClient, client)
    })
  ).pipe(Layer.provide(reactivity))
