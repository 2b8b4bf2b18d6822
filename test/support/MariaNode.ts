/**
 * A MariaDB server for one test file: own port, own folder in memory. `EVENTBUS_TEST_MYSQLD` names the `mysqld` of a MySQL,
 * which Debian does not install beside MariaDB.
 */
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as delay } from "node:timers/promises"
import { createConnection } from "mysql2/promise"
import { canInstall, install } from "./install.ts"
import { execute, processMachine } from "./Machine.ts"
import { freePort } from "./Port.ts"
import { findTool } from "./provision.ts"
import { openScratch } from "./Scratch.ts"
import { steppedClock } from "./SteppedClock.ts"

export interface MariaNode {
  readonly url: string
  /** Makes a database; returns its url. */
  readonly addDatabase: (name: string) => Promise<string>
  /** SIGKILL. */
  readonly kill: () => Promise<void>
  /** Kills it if it runs, and starts it again on the same port and data. */
  readonly restart: () => Promise<void>
  /** Sets its clock this far from the true one; undefined without Debian's libfaketime. It follows within a second. */
  readonly setClock: ((millis: number) => void) | undefined
  readonly stop: () => Promise<void>
}

/** Debian has it beside the tools of the administrator. */
const server = (): string | undefined => findTool("mariadbd") ?? findTool("/../../usr/sbin/mariadbd")

/** Why no server can be started here, or undefined. Installs Debian's package where that is possible. */
export const missingMaria = async (): Promise<string | undefined> => {
  if (process.env["EVENTBUS_NO_BROKERS"] === "1") return "EVENTBUS_NO_BROKERS is set"
  if (server() !== undefined) return undefined
  if (!canInstall()) return "MariaDB is not installed"
  await install(["mariadb-server"])
  return server() === undefined ? "Debian's mariadb-server brings no mariadbd" : undefined
}

export interface MariaOptions {
  /** Whether its clock can be set. */
  readonly stepped?: boolean
}

export const startMaria = (options: MariaOptions = {}): Promise<MariaNode> => {
  const program = server()
  if (program === undefined) throw new Error("MariaDB is not installed")
  return start("MariaDB", program, options, {
    initialize: (data, user) => [
      "mariadb-install-db",
      ["--no-defaults", `--datadir=${data}`, "--skip-test-db", ...user]
    ],
    // Whoever reaches the port is let in.
    settings: ["--skip-grant-tables"]
  })
}

export const mysqld = (): string | undefined => process.env["EVENTBUS_TEST_MYSQLD"]

/** The MySQL that `EVENTBUS_TEST_MYSQLD` names. Its clock is never set: under libfaketime it gave no answer. */
export const startMysql = (): Promise<MariaNode> => {
  const program = mysqld()
  if (program === undefined) throw new Error("EVENTBUS_TEST_MYSQLD is not set: it names the mysqld of a MySQL")
  return start(
    "MySQL",
    program,
    {},
    {
      initialize: (data, user) => [program, ["--no-defaults", "--initialize-insecure", `--datadir=${data}`, ...user]],
      settings: ["--mysqlx=OFF", "--skip-log-bin", "--secure-file-priv=NULL"]
    }
  )
}

interface Kind {
  readonly initialize: (data: string, user: ReadonlyArray<string>) => readonly [string, ReadonlyArray<string>]
  readonly settings: ReadonlyArray<string>
}

const start = async (
  name: string,
  program: string,
  { stepped = false }: MariaOptions,
  { initialize, settings }: Kind
): Promise<MariaNode> => {
  const port = await freePort()
  const scratch = openScratch("mariadb")
  const data = join(scratch.dir, "data")
  mkdirSync(data)
  const clock = stepped ? steppedClock(scratch.dir) : undefined
  const env = { PATH: process.env["PATH"], LANG: "C.UTF-8" }
  const user = process.getuid?.() === 0 ? ["--user=root"] : []
  const url = (database: string): string => `mysql://root@127.0.0.1:${port}/${database}`
  const machine = processMachine({
    scratch,
    command: program,
    args: [
      "--no-defaults",
      `--datadir=${data}`,
      `--port=${port}`,
      `--socket=${join(scratch.dir, "socket")}`,
      `--pid-file=${join(scratch.dir, "pid")}`,
      "--innodb-buffer-pool-size=32M",
      "--bind-address=127.0.0.1",
      // A kill of the process loses nothing of what the kernel has.
      "--innodb-flush-log-at-trx-commit=2",
      ...settings,
      ...user
    ],
    env: { ...env, ...clock?.env },
    log: "mariadb.log"
  })
  const query = async (text: string): Promise<void> => {
    const connection = await createConnection(url("mysql"))
    try {
      await connection.query(text)
    } finally {
      await connection.end()
    }
  }
  const begin = async (): Promise<void> => {
    await machine.start()
    for (const deadline = performance.now() + 120_000; ; await delay(30)) {
      try {
        return await query("SELECT 1")
      } catch (error) {
        const ended = machine.ended()
        if (ended !== undefined || performance.now() > deadline)
          throw new Error(`${name} did not start (${ended ?? "no answer"}):\n${await machine.log()}`, { cause: error })
      }
    }
  }
  try {
    await execute(...initialize(data, user), env)
    await begin()
  } catch (error) {
    await machine.close()
    throw error
  }
  return {
    url: url("mysql"),
    addDatabase: async (name) => {
      await query(`CREATE DATABASE ${name} CHARACTER SET utf8mb4`)
      return url(name)
    },
    kill: machine.kill,
    restart: async () => {
      await machine.kill()
      await begin()
    },
    setClock: clock?.set,
    stop: machine.close
  }
}
