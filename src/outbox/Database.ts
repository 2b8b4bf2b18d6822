/**
 * A database, as the outbox needs it: something that runs one statement and returns its rows. `effect/sql`'s `SqlClient` is
 * one, and so is every client that has a function from a text and parameters to rows, such as `pg`, Drizzle or Kysely.
 */
import * as Effect from "effect/Effect"
import type * as SqlClient from "effect/sql/SqlClient"
import type { Dialect } from "./dialects/Dialect.ts"
import { dialects } from "./dialects/dialects.ts"
import type { Parameter, Row, Statement } from "./dialects/Statement.ts"
import { OutboxError } from "./OutboxError.ts"

/**
 * Runs one statement in the transaction of its caller. Placeholders are those of the database (`$1` for PostgreSQL, `?` for
 * SQLite and MySQL), each used once and in order.
 */
export type Execute = (sql: string, parameters: ReadonlyArray<Parameter>) => PromiseLike<ReadonlyArray<Row>>

export type DialectName = keyof typeof dialects

/** A client that is no `SqlClient`. */
export interface Port {
  readonly dialect: DialectName
  /** Runs one statement by itself, outside of any transaction. */
  readonly execute: Execute
  /** Calls back when an event was appended, until the returned function is called. Default: none, the relay asks again and again. */
  readonly listen?: (channel: string, onEvent: () => void) => PromiseLike<() => PromiseLike<void>>
}

export interface Database {
  readonly dialect: Dialect
  readonly run: (operation: string, statement: Statement) => Effect.Effect<ReadonlyArray<Row>, OutboxError>
}

/** Runs in the transaction of the fiber, if there is one. */
export const ofClient = (client: SqlClient.SqlClient): Database => {
  const known = clients.get(client)
  if (known !== undefined) return known
  const made = makeOfClient(client)
  clients.set(client, made)
  return made
}

const clients = new WeakMap<object, Database>()

const makeOfClient = (client: SqlClient.SqlClient): Database => {
  const name = client.onDialectOrElse<DialectName | undefined, DialectName, DialectName>({
    pg: () => "postgres",
    sqlite: () => "sqlite",
    orElse: () => undefined
  })
  return {
    dialect: name === undefined ? unknownDialect("this SqlClient's") : dialects[name],
    run: (operation, { parameters, text }) =>
      Effect.mapError(client.unsafe<Row>(text, parameters).withoutTransform, (error) =>
        OutboxError.of(operation, error)
      )
  }
}

export const ofPort = ({ dialect, execute }: Pick<Port, "dialect" | "execute">): Database => ({
  // Callers without types may pass any name.
  dialect: Object.hasOwn(dialects, dialect) ? dialects[dialect] : unknownDialect(`"${dialect}"`),
  run: (operation, { parameters, text }) =>
    Effect.tryPromise({
      try: async () => execute(text, parameters),
      catch: (error) => OutboxError.of(operation, error)
    })
})

const unknownDialect = (which: string): never => {
  throw new TypeError(`${which} dialect is not supported: expected one of ${Object.keys(dialects).join(", ")}`)
}
