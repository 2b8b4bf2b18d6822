/** The databases that kill runs know, as servers that are killed. */
import type { DialectName } from "@eduflow/events/outbox"
import { missingMaria, mysqld, startMaria, startMysql } from "../../support/MariaNode.ts"
import { missing, startPostgres } from "../../support/PostgresNode.ts"

export const databaseNames = ["postgres", "mariadb", "mysql"] as const
export type DatabaseName = (typeof databaseNames)[number]

export interface DatabaseServer {
  readonly dialect: DialectName
  /** Makes a database; returns its url. */
  readonly addDatabase: (name: string) => Promise<string>
  /** SIGKILL of all of its processes. */
  readonly kill: () => Promise<void>
  /** Kills it if it runs, and starts it again on the same port and data. */
  readonly restart: () => Promise<void>
  /** Sets its clock this far from the true one; undefined without Debian's libfaketime. It follows within a second. */
  readonly setClock: ((millis: number) => void) | undefined
  readonly stop: () => Promise<void>
}

export const startDatabase = async (name: DatabaseName): Promise<DatabaseServer> => {
  switch (name) {
    case "postgres":
      return { dialect: "postgres", ...(await startPostgres({ stepped: true })) }
    case "mariadb":
      return { dialect: "mysql", ...(await startMaria({ stepped: true })) }
    case "mysql":
      return { dialect: "mysql", ...(await startMysql()) }
  }
}

/** Why it cannot be started here, or undefined. Installs Debian's package where that is possible. */
export const missingDatabase = async (name: DatabaseName): Promise<string | undefined> => {
  switch (name) {
    case "postgres":
      return missing()
    case "mariadb":
      return missingMaria()
    case "mysql":
      return mysqld() === undefined ? "EVENTBUS_TEST_MYSQLD is not set" : undefined
  }
}
