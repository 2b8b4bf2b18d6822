/**
 * A Redis server for one test or one run: own port, own folder, nothing written to disk.
 *
 * `kill` and `restart` lose its data, as with a Redis without persistence. Tests that need persistence set `args`.
 */
import { join } from "node:path"
import { wanted } from "./BrokerVersions.ts"
import { containerMachine } from "./Container.ts"
import { awaitGreeting, processMachine } from "./Machine.ts"
import { freePort } from "./Port.ts"
import { findBroker } from "./provision.ts"
import { openScratch } from "./Scratch.ts"
import { steppedClock } from "./SteppedClock.ts"

export interface RedisOptions {
  /** More arguments for redis-server: `["--maxmemory", "4mb"]`, `["--replicaof", "127.0.0.1 6379"]`. */
  readonly args?: ReadonlyArray<string>
  /** Password of the default user; it is part of the url then. */
  readonly password?: string
  /** How long a start may take, in seconds. */
  readonly deadline?: number
  /** Default: a free one. */
  readonly port?: number
  /** Whether its wall clock can be set, where this machine can do that. */
  readonly isStepped?: boolean
}

export interface RedisNode {
  readonly url: string
  readonly port: number
  /** Runs `redis-cli` against this server and returns what it printed; an error reply rejects. */
  readonly cli: (...args: ReadonlyArray<string>) => Promise<string>
  /** SIGKILL. */
  readonly kill: () => Promise<void>
  /** Hangs: SIGSTOP. Connections stay open and nothing answers. */
  readonly suspend: () => Promise<void>
  readonly resume: () => Promise<void>
  /** Sets its wall clock this far from the true one; absent where that cannot be done. */
  readonly setClock?: (millis: number) => void
  /** Kills it if it runs, and starts it again on the same port: empty, as there is no persistence. */
  readonly restart: () => Promise<void>
  readonly stop: () => Promise<void>
  readonly [Symbol.asyncDispose]: () => Promise<void>
}

export const startRedis = async (options: RedisOptions = {}): Promise<RedisNode> => {
  const { args = [], deadline = 240, isStepped = false, password, port = await freePort() } = options
  const source = await findBroker("redis")
  const scratch = openScratch("redis")
  const secret = password === undefined ? [] : ["--requirepass", password]
  const settings = ["--save", "", "--appendonly", "no", ...secret, ...args]
  // A server in a root of its own has another C library, and does not start with this one.
  const hasClock = isStepped && source.kind === "installed" && wanted("redis") === undefined
  const clock = hasClock ? steppedClock(scratch.dir) : undefined
  const machine =
    source.kind === "docker"
      ? containerMachine({
          scratch,
          image: source.image,
          port,
          innerPort: 6379,
          env: {},
          command: ["redis-server", ...settings]
        })
      : processMachine({
          scratch,
          command: join(source.folder, "redis-server"),
          args: ["--port", String(port), "--bind", "127.0.0.1", "--dir", scratch.dir, ...settings],
          env: { PATH: process.env["PATH"], LANG: "C.UTF-8", ...clock?.env },
          log: "redis.log"
        })
  // A server that requires a password, or a replica that waits for its master, is up, too.
  const isReady = (answer: string): boolean => /^(\+PONG|-NOAUTH|-MASTERDOWN)/.test(answer)
  const start = async (): Promise<void> => {
    await machine.start()
    await awaitGreeting({ machine, port, seconds: deadline, hello: "PING\r\n", isReady })
  }
  try {
    await start()
  } catch (error) {
    await machine.close()
    throw error
  }

  // -e: an error reply gives an exit code, which redis-cli otherwise hides.
  const login = password === undefined ? [] : ["--no-auth-warning", "-a", password]
  const cliPort = source.kind === "docker" ? 6379 : port
  const tool = source.kind === "docker" ? "redis-cli" : join(source.folder, "redis-cli")
  return {
    url: `redis://${password === undefined ? "" : `:${encodeURIComponent(password)}@`}127.0.0.1:${port}`,
    port,
    cli: (...command) => machine.run(tool, ["-e", "-p", String(cliPort), ...login, ...command]),
    kill: machine.kill,
    suspend: machine.suspend,
    resume: machine.resume,
    ...(clock !== undefined && { setClock: clock.set }),
    restart: async () => {
      await machine.kill()
      await start()
    },
    stop: machine.close,
    [Symbol.asyncDispose]: machine.close
  }
}
