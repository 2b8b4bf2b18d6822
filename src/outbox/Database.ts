/**
 * A database, as the outbox needs it: something that runs one statement and returns its rows. `effect/sql`'s `SqlClient` is
 * one, and so is every client that has a function from a text and parameters to rows, such as `pg`, Drizzle or Kysely.
 */
import * as Effect from "effect/Effect"
import type * as SqlClient from "effect/sql/SqlClient"
import type { Dialect } from "./dialects/Dialect.ts"
import { dialects } from "./dialects/dialects.ts"
import { isStatement, type Parameter, type Row, type Statement } from "./dialects/Statement.ts"
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
  const name = client.onDialectOrElse<DialectName | undefined, DialectName, DialectName, DialectName>({
    pg: () => "postgres",
    sqlite: () => "sqlite",
    mysql: () => "mysql",
    orElse: () => undefined
  })
  return {
    dialect: name === undefined ? unknownDialect("this SqlClient's") : dialects[name],
    run: inSteps((operation, { parameters, text }) =>
      Effect.mapError(client.unsafe<Row>(text, parameters).withoutTransform, (error) =>
        OutboxError.of(operation, error)
      )
    )
  }
}

/** Runs what follows a statement, too. */
const inSteps = (run: Database["run"]): Database["run"] => {
  const steps: Database["run"] = (operation, statement) => {
    const { next } = statement
    if (next === undefined) return run(operation, statement)
    return Effect.flatMap(run(operation, statement), (rows) => {
      const following = next(rows)
      return isStatement(following) ? steps(operation, following) : Effect.succeed(following)
    })
  }
  return steps
}

export const ofPort = ({ dialect, execute }: Pick<Port, "dialect" | "execute">): Database => ({
  // Callers without types may pass any name.
  dialect: Object.hasOwn(dialects, dialect) ? dialects[dialect] : unknownDialect(`"${dialect}"`),
  run: (operation, statement) =>
    Effect.tryPromise({
      try: () => runSteps(execute, statement),
      catch: (error) => OutboxError.of(operation, error)
    })
})

/** A statement, and what follows it, without Effect. */
export const runSteps = async (execute: Execute, statement: Statement): Promise<ReadonlyArray<Row>> => {
  let { next, parameters, text } = statement
  for (;;) {
    const rows = await execute(text, parameters)
    if (next === undefined) return rows
    const following = next(rows)
    if (!isStatement(following)) return following
    ;({ next, parameters, text } = following)
  }
}

const unknownDialect = (which: string): never => {
  throw new TypeError(`${which} dialect is not supported: expected one of ${Object.keys(dialects).join(", ")}`)
}
