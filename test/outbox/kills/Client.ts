/** Connections of the kill runs to each of the databases: what the processes and their judge run statements with. */
import type { DialectName } from "@eduflow/events/outbox"
import { createPool } from "mysql2/promise"
import { Pool } from "pg"

export type Rows = ReadonlyArray<Readonly<Record<string, unknown>>>

/** Runs one statement, with the placeholders of the database. */
export interface Client {
  readonly query: (text: string, parameters?: ReadonlyArray<unknown>) => Promise<Rows>
}

export interface Connection extends Client {
  /** One that has failed is used no more: then the database was killed. */
  readonly release: (hasFailed: boolean) => void
}

export interface ClientPool extends Client {
  readonly dialect: DialectName
  readonly acquire: () => Promise<Connection>
  readonly end: () => Promise<void>
}

export const dialectOf = (url: string): Exclude<DialectName, "sqlite"> =>
  url.startsWith("mysql:") ? "mysql" : "postgres"

const overPg = (url: string, max: number): ClientPool => {
  const pool = new Pool({ connectionString: url, max })
  pool.on("error", () => {})
  return {
    dialect: "postgres",
    query: async (text, parameters = []) => (await pool.query(text, [...parameters])).rows,
    acquire: async () => {
      const client = await pool.connect()
      let isBroken = false
      const onError = (): void => {
        isBroken = true
      }
      client.on("error", onError)
      return {
        query: async (text, parameters = []) => (await client.query(text, [...parameters])).rows,
        release: (hasFailed) => client.off("error", onError).release(isBroken || hasFailed)
      }
    },
    end: () => pool.end()
  }
}

/** What changes rows returns none. */
const rowsOf = (result: unknown): Rows => (Array.isArray(result) ? result : [])

const overMysql = (url: string, max: number): ClientPool => {
  const pool = createPool({ uri: url, connectionLimit: max })
  return {
    dialect: "mysql",
    query: async (text, parameters = []) => rowsOf((await pool.query(text, [...parameters]))[0]),
    acquire: async () => {
      const connection = await pool.getConnection()
      return {
        query: async (text, parameters = []) => rowsOf((await connection.query(text, [...parameters]))[0]),
        release: (hasFailed) => (hasFailed ? connection.destroy() : connection.release())
      }
    },
    end: () => pool.end()
  }
}

const pools = { postgres: overPg, mysql: overMysql } as const

export const openPool = (url: string, max: number): ClientPool => pools[dialectOf(url)](url, max)

/** A connection that is used no more when anything fails: then nothing was committed. */
export const withConnection = async (pool: ClientPool, use: (client: Client) => Promise<void>): Promise<void> => {
  const connection = await pool.acquire()
  let hasFailed = true
  try {
    await use(connection)
    hasFailed = false
  } finally {
    connection.release(hasFailed)
  }
}
