/** The database of `eventbus outbox`: SQLite in a file, or a server, by the driver that the user has. */
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { SqlClient } from "effect/sql/SqlClient"
import type * as Scope from "effect/Scope"
import { createRequire } from "node:module"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { type Database, type Execute, ofClient, ofPort } from "../outbox/Database.ts"
import * as SqliteFile from "../outbox/SqliteFile.ts"
import { UsageError } from "./UsageError.ts"

/** The database that is named, or that of the environment. */
export const open = (given: Option.Option<string>): Effect.Effect<Database, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const setting = yield* Config.option(Config.Redacted("EVENTBUS_OUTBOX_DATABASE"))
    const url = Option.getOrElse(given, () => Option.getOrElse(Option.map(setting, Redacted.value), () => "")).trim()
    if (url.startsWith("sqlite:")) {
      const context = yield* Layer.build(SqliteFile.layer({ filename: url.slice("sqlite:".length) }))
      return yield* Effect.provideContext(Effect.map(SqlClient, ofClient), context)
    }
    if (/^postgres(?:ql)?:\/\//.test(url)) return yield* openPostgres(url)
    if (/^(?:mysql|mariadb):\/\//.test(url)) return yield* openMysql(url.replace("mariadb:", "mysql:"))
    return yield* new UsageError({
      problem:
        url === ""
          ? "no database is named: give --database, or set EVENTBUS_OUTBOX_DATABASE"
          : "--database: expected postgres://user:password@host/name, mysql://user:password@host/name or sqlite:<file>"
    })
  })

/** A package of the folder that the command runs in. */
const driverOf = (name: string, what: string): Effect.Effect<unknown, UsageError> =>
  Effect.tryPromise({
    try: async () => {
      const file = createRequire(join(process.cwd(), "package.json")).resolve(name)
      return (await import(pathToFileURL(file).href)) as unknown
    },
    catch: () =>
      new UsageError({ problem: `${what} needs the package \`${name}\`: run the command where it is installed` })
  })

/** What the command needs of `pg`. */
interface PgClient {
  readonly connect: () => Promise<void>
  readonly query: (
    text: string,
    parameters: Array<unknown>
  ) => Promise<{ readonly rows: Array<Record<string, unknown>> }>
  readonly end: () => Promise<void>
}
interface Pg {
  readonly default: { readonly Client: new (options: { readonly connectionString: string }) => PgClient }
}

const openPostgres = (url: string) =>
  Effect.gen(function* () {
    // The package of this name has these members.
    const driver = (yield* driverOf("pg", "PostgreSQL")) as Pg
    const client = yield* Effect.acquireRelease(
      Effect.tryPromise(async () => {
        const made = new driver.default.Client({ connectionString: url })
        await made.connect()
        return made
      }),
      (made) => Effect.promise(async () => made.end())
    )
    const execute: Execute = async (text, parameters) => (await client.query(text, [...parameters])).rows
    return ofPort({ dialect: "postgres", execute })
  })

/** What the command needs of `mysql2/promise`. A statement that changes rows has no list of them. */
interface MysqlConnection {
  readonly query: (
    text: string,
    parameters: Array<unknown>
  ) => Promise<readonly [rows: Array<Record<string, unknown>> | object, fields: unknown]>
  readonly end: () => Promise<void>
}
interface Mysql {
  readonly default: { readonly createConnection: (url: string) => Promise<MysqlConnection> }
}

const openMysql = (url: string) =>
  Effect.gen(function* () {
    // The package of this name has these members.
    const driver = (yield* driverOf("mysql2/promise", "MariaDB")) as Mysql
    const connection = yield* Effect.acquireRelease(
      Effect.tryPromise(async () => driver.default.createConnection(url)),
      (made) => Effect.promise(async () => made.end())
    )
    const execute: Execute = async (text, parameters) => {
      const [rows] = await connection.query(text, [...parameters])
      return Array.isArray(rows) ? rows : []
    }
    return ofPort({ dialect: "mysql", execute })
  })
