/**
 * A PostgreSQL server for one test file: own port, own folder in memory. PostgreSQL refuses to run as root, so then its
 * processes are of the user that Debian's package made.
 */
import { spawnSync } from "node:child_process"
import { chmodSync, chownSync, mkdirSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as delay } from "node:timers/promises"
import { Client } from "pg"
import { canInstall, install } from "./install.ts"
import { execute, processMachine } from "./Machine.ts"
import { freePort } from "./Port.ts"
import { findTool } from "./provision.ts"
import { openScratch } from "./Scratch.ts"
import { steppedClock } from "./SteppedClock.ts"

export interface PostgresNode {
  readonly url: string
  readonly port: number
  /** Makes a database; returns its url. */
  readonly addDatabase: (name: string) => Promise<string>
  /** SIGKILL of the server and all of its processes. */
  readonly kill: () => Promise<void>
  /** Kills it if it runs, and starts it again on the same port and data. */
  readonly restart: () => Promise<void>
  /** Sets its clock this far from the true one; undefined without Debian's libfaketime. It follows within a second. */
  readonly setClock: ((millis: number) => void) | undefined
  readonly stop: () => Promise<void>
}

const packages = "/usr/lib/postgresql"

/** The folder with `initdb`, or undefined. */
const folderOf = (): string | undefined => {
  const onPath = findTool("initdb")
  if (onPath !== undefined) return join(onPath, "..")
  try {
    const versions = readdirSync(packages).toSorted((a, b) => Number(b) - Number(a))
    return versions.map((version) => join(packages, version, "bin")).at(0)
  } catch {
    return undefined
  }
}

/** Why no server can be started here, or undefined. Installs Debian's package where that is possible. */
export const missing = async (): Promise<string | undefined> => {
  if (process.env["EVENTBUS_NO_BROKERS"] === "1") return "EVENTBUS_NO_BROKERS is set"
  if (folderOf() !== undefined) return undefined
  if (!canInstall()) return "PostgreSQL is not installed"
  await install(["postgresql"])
  return folderOf() === undefined ? "Debian's postgresql brings no initdb" : undefined
}

const idOf = (flag: string): number => Number(spawnSync("id", [flag, "postgres"], { encoding: "utf8" }).stdout.trim())

/** The processes that a process has started. */
const childrenOf = (pid: number): ReadonlyArray<number> => {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(/\s+/).filter(Boolean).map(Number)
  } catch {
    return []
  }
}

const isRunning = (pid: number): boolean => {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, "utf8"))
  } catch {
    return false
  }
}

const killAll = (pids: ReadonlyArray<number>): void => {
  for (const pid of pids) {
    try {
      process.kill(pid, "SIGKILL")
    } catch {
      // It has ended.
    }
  }
}

export interface PostgresOptions {
  /** Whether its clock can be set. */
  readonly stepped?: boolean
}

export const startPostgres = async ({ stepped = false }: PostgresOptions = {}): Promise<PostgresNode> => {
  const folder = folderOf()
  if (folder === undefined) throw new Error("PostgreSQL is not installed")
  const port = await freePort()
  const scratch = openScratch("postgres")
  const data = join(scratch.dir, "data")
  mkdirSync(data)
  const isRoot = process.getuid?.() === 0
  const clock = stepped ? steppedClock(scratch.dir) : undefined
  const env = { PATH: process.env["PATH"], LANG: "C.UTF-8" }
  if (isRoot) {
    chmodSync(scratch.dir, 0o711)
    chownSync(data, idOf("-u"), idOf("-g"))
  }
  const asUser = isRoot ? ["--reuid=postgres", "--regid=postgres", "--clear-groups"] : []
  const command = (tool: string, ...args: ReadonlyArray<string>): readonly [string, ReadonlyArray<string>] =>
    isRoot ? ["setpriv", [...asUser, tool, ...args]] : [tool, args]
  const url = (database: string): string => `postgres://postgres@127.0.0.1:${port}/${database}`
  const [init, initArgs] = command(
    join(folder, "initdb"),
    "-D",
    data,
    "-A",
    "trust",
    "-U",
    "postgres",
    "--no-sync",
    "-E",
    "UTF8",
    "--locale=C.UTF-8"
  )
  // A kill of the processes loses nothing of what the kernel has: only a loss of power would, and no test has one.
  const options = ["listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off", "max_connections=60"]
  // What processes share is a file of the data, so that a kill leaves nothing behind.
  const settings = [
    ...options,
    "shared_buffers=32MB",
    "autovacuum_naptime=5s",
    "dynamic_shared_memory_type=mmap"
  ].flatMap((setting) => ["-c", setting])
  // Behind the change of the user: what libfaketime shares between processes belongs to who began it.
  const within = Object.entries(clock?.env ?? {}).map(([name, value]) => `${name}=${value}`)
  const [server, args] = command(
    "/usr/bin/env",
    ...within,
    join(folder, "postgres"),
    "-D",
    data,
    "-p",
    String(port),
    ...settings
  )
  const machine = processMachine({ scratch, command: server, args, env, log: "postgres.log" })
  const query = async (database: string, text: string): Promise<void> => {
    const client = new Client({ connectionString: url(database) })
    await client.connect()
    try {
      await client.query(text)
    } finally {
      await client.end()
    }
  }
  /** Each connection has a process, in a group of its own, which would end what it does. No new server starts beside it. */
  const kill = async (): Promise<void> => {
    const pid = Number(readFileSync(join(data, "postmaster.pid"), "utf8").split("\n")[0])
    const children = childrenOf(pid)
    await machine.kill()
    killAll(children)
    while (children.some(isRunning)) await delay(5)
  }
  const start = async (): Promise<void> => {
    await machine.start()
    for (const deadline = performance.now() + 120_000; ; await delay(30)) {
      try {
        return await query("postgres", "SELECT 1")
      } catch (error) {
        const ended = machine.ended()
        if (ended !== undefined || performance.now() > deadline)
          throw new Error(`PostgreSQL did not start (${ended ?? "no answer"}):\n${await machine.log()}`, {
            cause: error
          })
      }
    }
  }
  try {
    await execute(init, initArgs, env)
    await start()
  } catch (error) {
    await machine.close()
    throw error
  }
  return {
    url: url("postgres"),
    port,
    addDatabase: async (name) => {
      await query("postgres", `CREATE DATABASE ${name}`)
      return url(name)
    },
    kill,
    restart: async () => {
      if (machine.ended() === undefined) await kill()
      await start()
    },
    setClock: clock?.set,
    stop: machine.close
  }
}
