/**
 * A Redis Cluster for one test file: three masters, made by `redis-cli --cluster create`, and a replica of the first,
 * which takes over when that one is killed. Real processes of this machine, on their own ports.
 */
import { setTimeout as delay } from "node:timers/promises"
import { freePort } from "./Port.ts"
import { type RedisNode, startRedis } from "./RedisNode.ts"

export interface RedisCluster {
  /** `host:port` of the masters, separated by commas. */
  readonly hosts: string
  readonly masters: ReadonlyArray<RedisNode>
  readonly replica: RedisNode
  /** Runs `redis-cli` against every node. */
  readonly everywhere: (...args: ReadonlyArray<string>) => Promise<void>
  readonly stop: () => Promise<void>
}

const start = async (): Promise<RedisNode> => {
  const [port, bus] = [await freePort(), await freePort()]
  const args = ["--cluster-enabled", "yes", "--cluster-port", String(bus), "--cluster-node-timeout", "1000"]
  const quick = ["--repl-diskless-sync-delay", "0", "--cluster-replica-validity-factor", "0"]
  const node = await startRedis({ port, args: [...args, ...quick, "--cluster-announce-ip", "127.0.0.1"] })
  return Object.assign(node, { bus })
}

export const startCluster = async (): Promise<RedisCluster> => {
  const nodes = await Promise.all(Array.from({ length: 4 }, start))
  const stop = async (): Promise<void> => void (await Promise.all(nodes.map((node) => node.stop())))
  try {
    const [first, second, third, replica] = nodes
    if (first === undefined || second === undefined || third === undefined || replica === undefined)
      throw new Error("four")
    const masters = [first, second, third]
    const addressOf = ({ port, ...node }: RedisNode): string =>
      `127.0.0.1:${port}${"bus" in node ? `@${String(node.bus)}` : ""}`
    await first.cli("--cluster", "create", ...masters.map(addressOf), "--cluster-yes")
    const id = await first.cli("CLUSTER", "MYID")
    await replica.cli("CLUSTER", "MEET", "127.0.0.1", String(first.port), addressOf(first).split("@")[1] ?? "")
    await until("the replica knows its master", async () => (await replica.cli("CLUSTER", "NODES")).includes(id))
    await until("it follows it", () =>
      replica.cli("CLUSTER", "REPLICATE", id).then(
        () => true,
        () => false
      )
    )
    await until("it is in sync", async () =>
      (await replica.cli("INFO", "replication")).includes("master_link_status:up")
    )
    for (const node of nodes) await healthy(node, 4)
    return {
      hosts: masters.map(({ port }) => `127.0.0.1:${port}`).join(","),
      masters,
      replica,
      everywhere: async (...args) => void (await Promise.all(nodes.map((node) => node.cli(...args)))),
      stop
    }
  } catch (error) {
    await stop()
    throw error
  }
}

/** Waits until every slot is served and every node is known. */
export const healthy = (node: RedisNode, size: number): Promise<void> =>
  until("the cluster is up", async () => {
    const info = await node.cli("CLUSTER", "INFO")
    return info.includes("cluster_state:ok") && info.includes(`cluster_known_nodes:${size}`)
  })

export const until = async (what: string, condition: () => Promise<boolean>): Promise<void> => {
  for (const end = performance.now() + 180_000; performance.now() < end;) {
    if (await condition()) return
    await delay(25)
  }
  throw new Error(`never: ${what}`)
}
