/** Effect's `SqlClient` over a pool of `pg`, each of whose statements goes through a function of the test. */
import { PgClient } from "@effect/sql-pg"
import { Context, Effect, Layer, type Scope } from "effect"
import { layer as reactivity } from "effect/reactivity/Reactivity"
import { SqlClient } from "effect/sql"
import type { Connection } from "effect/sql/SqlConnection"
import { SqlError, UnknownError } from "effect/sql/SqlError"
import type { ClientBase, Pool, PoolClient } from "pg"
import * as RowsConnection from "../../../src/outbox/RowsConnection.ts"

export type Run = (
  client: ClientBase,
  text: string,
  parameters: ReadonlyArray<unknown>
) => Promise<ReadonlyArray<object>>

const failed = (operation: string) => (cause: unknown) =>
  new SqlError({ reason: new UnknownError({ cause, message: String(cause), operation }) })

/** A connection that has failed is used no more: then the database was killed. */
const acquire = (pool: Pool): Effect.Effect<PoolClient, SqlError, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.tryPromise({
        try: async () => {
          const client = await pool.connect()
          const state = { isBroken: false }
          const onError = (): void => void (state.isBroken = true)
          client.on("error", onError)
          return { client, end: () => client.off("error", onError).release(state.isBroken) }
        },
        catch: failed("connect")
      }),
      ({ end }) => Effect.sync(end)
    ),
    ({ client }) => client
  )

export const layer = (pool: Pool, run: Run): Layer.Layer<SqlClient.SqlClient> =>
  Layer.effectContext(
    Effect.gen(function* () {
      const acquirer: Effect.Effect<Connection, SqlError, Scope.Scope> = Effect.map(acquire(pool), (client) =>
        RowsConnection.over((text, parameters) =>
          Effect.tryPromise({ try: () => run(client, text, parameters), catch: failed("execute") })
        )
      )
      const client = yield* SqlClient.make({
        acquirer,
        compiler: PgClient.makeCompiler(),
        driver: "pg-pool",
        spanAttributes: []
      })
      return Context.make(SqlClient.SqlClient, client)
    })
  ).pipe(Layer.provide(reactivity))
