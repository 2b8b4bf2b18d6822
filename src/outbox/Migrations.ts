/**
 * The tables of outbox and inbox. Migrations are run by `migrate`, by Effect's `Migrator` with `loader`, or by the tool that
 * the service has, from the text of `sqlOf`. Each can be run again, by several processes too.
 */
import * as Effect from "effect/Effect"
import type * as Migrator from "effect/sql/Migrator"
import { SqlClient } from "effect/sql/SqlClient"
import { type Database, type DialectName, ofClient, ofPort, type Port } from "./Database.ts"
import type { Migration } from "./dialects/Dialect.ts"
import { dialects } from "./dialects/dialects.ts"
import type { OutboxError } from "./OutboxError.ts"

/** Creates what is missing. */
export const migrate: Effect.Effect<void, OutboxError, SqlClient> = Effect.flatMap(SqlClient, (client) =>
  run(ofClient(client))
)

/** The same for any other client. */
export const migrateWith = (port: Pick<Port, "dialect" | "execute">): Effect.Effect<void, OutboxError> =>
  Effect.suspend(() => run(ofPort(port)))

/** Creates what is missing. */
export const run = (database: Database): Effect.Effect<void, OutboxError> =>
  Effect.forEach(database.dialect.migrations, (migration) => apply(database, migration), { discard: true })

const apply = (database: Database, { statements }: Migration): Effect.Effect<void, OutboxError> =>
  Effect.forEach(statements, (text) => database.run("migrate", { text, parameters: [] }), { discard: true })

/** For `Migrator.make({})({ loader })`, beside the migrations of the service. Numbers begin at `from`. */
export const loader = (from = 1): Migrator.Loader =>
  Effect.succeed(
    // All dialects have the same migrations.
    dialects.sqlite.migrations.map(({ id, name }, index): Migrator.ResolvedMigration => [
      from + index,
      `eventbus_${name}`,
      Effect.succeed(
        Effect.flatMap(SqlClient, (client) => {
          const database = ofClient(client)
          const migration = database.dialect.migrations.find((one) => one.id === id)
          return migration === undefined ? Effect.void : apply(database, migration)
        })
      )
    ])
  )

/** The migrations of a dialect as the text of a file. */
export const sqlOf = (dialect: DialectName): string =>
  dialects[dialect].migrations
    .map(({ id, name, statements }) => `-- ${id} ${name}\n${statements.map((text) => `${text};\n`).join("")}`)
    .join("\n")
