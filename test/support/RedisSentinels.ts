/**
 * A Redis master with a replica, and three sentinels that watch it and promote the replica when it is gone. Real
 * processes of this machine, on their own ports.
 */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { awaitGreeting, processMachine } from "./Machine.ts"
import { freePort } from "./Port.ts"
import { findBroker } from "./provision.ts"
import { until } from "./RedisCluster.ts"
import { type RedisNode, startRedis } from "./RedisNode.ts"
import { openScratch } from "./Scratch.ts"

export interface RedisSentinels {
  /** `host:port` of the sentinels, separated by commas. */
  readonly hosts: string
  readonly name: string
  readonly master: RedisNode
  readonly replica: RedisNode
  readonly sentinels: ReadonlyArray<{ readonly port: number; readonly kill: () => Promise<void> }>
  /** Runs `redis-cli` against a sentinel. */
  readonly ask: (...args: ReadonlyArray<string>) => Promise<string>
  /** Runs `redis-cli` against master and replica. */
  readonly everywhere: (...args: ReadonlyArray<string>) => Promise<void>
  readonly stop: () => Promise<void>
}

const name = "mymaster"

const startSentinel = async (master: number, password: string | undefined) => {
  const source = await findBroker("redis")
  if (source.kind !== "installed") throw new Error("sentinels need redis-server to be installed")
  const [port, scratch] = [await freePort(), openScratch("sentinel")]
  const file = join(scratch.dir, "sentinel.conf")
  const lines = [
    `port ${port}`,
    "bind 127.0.0.1",
    `sentinel monitor ${name} 127.0.0.1 ${master} 2`,
    `sentinel down-after-milliseconds ${name} 500`,
    `sentinel failover-timeout ${name} 1000`,
    ...(password === undefined ? [] : [`requirepass ${password}`, `sentinel sentinel-pass ${password}`])
  ]
  writeFileSync(file, `${lines.join("\n")}\n`)
  const machine = processMachine({
    scratch,
    command: join(source.folder, "redis-server"),
    args: [file, "--sentinel"],
    env: { PATH: process.env["PATH"], LANG: "C.UTF-8" },
    log: "sentinel.log"
  })
  await machine.start()
  const isReady = (answer: string): boolean => /^(\+PONG|-NOAUTH)/.test(answer)
  await awaitGreeting({ machine, port, seconds: 240, hello: "PING\r\n", isReady })
  const login = password === undefined ? [] : ["--no-auth-warning", "-a", password]
  return {
    port,
    kill: machine.kill,
    stop: machine.close,
    ask: (...args: ReadonlyArray<string>) =>
      machine.run(join(source.folder, "redis-cli"), ["-e", "-p", String(port), ...login, ...args])
  }
}

export const startSentinels = async ({
  isStepped = false,
  ...options
}: {
  readonly password?: string
  /** Whether the wall clocks of master and replica can be set, where this machine can do that. */
  readonly isStepped?: boolean
} = {}): Promise<RedisSentinels> => {
  const quick = ["--repl-diskless-sync-delay", "0"]
  const master = await startRedis({ args: quick, isStepped })
  const replica = await startRedis({ args: [...quick, "--replicaof", `127.0.0.1 ${master.port}`], isStepped })
  const sentinels = await Promise.all(Array.from({ length: 3 }, () => startSentinel(master.port, options.password)))
  const stop = async (): Promise<void> =>
    void (await Promise.all([master, replica, ...sentinels].map((one) => one.stop())))
  const [first] = sentinels
  if (first === undefined) throw new Error("three")
  try {
    // Before that they would not promote the replica.
    await until("they know the replica and each other", async () => {
      const answers = await Promise.all(sentinels.map((one) => one.ask("SENTINEL", "MASTER", name)))
      return answers.every((text) => /num-slaves\n1\n/.test(text) && /num-other-sentinels\n2\n/.test(text))
    })
    return {
      hosts: sentinels.map(({ port }) => `127.0.0.1:${port}`).join(","),
      name,
      master,
      replica,
      sentinels,
      ask: first.ask,
      everywhere: async (...args) => void (await Promise.all([master, replica].map((node) => node.cli(...args)))),
      stop
    }
  } catch (error) {
    await stop()
    throw error
  }
}
