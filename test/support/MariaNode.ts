/** A MariaDB server for one test file: own port, own folder in memory. */
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as delay } from "node:timers/promises"
import { createConnection } from "mysql2/promise"
import { canInstall, install } from "./install.ts"
import { execute, processMachine } from "./Machine.ts"
import { freePort } from "./Port.ts"
import { findTool } from "./provision.ts"
import { openScratch } from "./Scratch.ts"

export interface MariaNode {
  readonly url: string
  /** Makes a database; returns its url. */
  readonly addDatabase: (name: string) => Promise<string>
  /** SIGKILL. */
  readonly kill: () => Promise<void>
  /** Kills it if it runs, and starts it again on the same port and data. */
  readonly restart: () => Promise<void>
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

export const startMaria = async (): Promise<MariaNode> => {
  const program = server()
  if (program === undefined) throw new Error("MariaDB is not installed")
  const port = await freePort()
  const scratch = openScratch("mariadb")
  const data = join(scratch.dir, "data")
  mkdirSync(data)
  const env = { PATH: process.env["PATH"], LANG: "C.UTF-8" }
  const user = process.getuid?.() === 0 ? ["--user=root"] : []
  const url = (database: string): string => `mysql://root@127.0.0.1:${port}/${database}`
  // Whoever reaches the port is let in. A kill of the process loses nothing of what the kernel has.
  const settings = ["--skip-grant-tables", "--bind-address=127.0.0.1", "--innodb-flush-log-at-trx-commit=2"]
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
      ...settings,
      ...user
    ],
    env,
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
  const start = async (): Promise<void> => {
    await machine.start()
    for (const deadline = performance.now() + 120_000; ; await delay(30)) {
      try {
        return await query("SELECT 1")
      } catch (error) {
        const ended = machine.ended()
        if (ended !== undefined || performance.now() > deadline)
          throw new Error(`MariaDB did not start (${ended ?? "no answer"}):\n${await machine.log()}`, { cause: error })
      }
    }
  }
  try {
    await execute("mariadb-install-db", ["--no-defaults", `--datadir=${data}`, "--skip-test-db", ...user], env)
    await start()
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
      await start()
    },
    stop: machine.close
  }
}
