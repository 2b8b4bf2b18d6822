/** Faults of a cluster: of its nodes, of its majority, of where its queues are led, and of a Redis that Sentinel watches. */
import { setTimeout as delay } from "node:timers/promises"
import type { RabbitCluster } from "../support/RabbitCluster.ts"
import type { RedisSentinels } from "../support/RedisSentinels.ts"
import type { RabbitNode } from "../support/RabbitNode.ts"
import { now } from "./Journal.ts"

/** On a cluster the brokers of a run are these. */
export interface Cluster extends RabbitCluster {
  readonly sentinels: RedisSentinels
  /** The nodes that a fault holds down now. */
  readonly harmed: Set<number>
}

export const clusterFaults = [
  "node-kill",
  "node-hang",
  "node-cut",
  "majority-lost",
  "leaders-move",
  "nodes-roll",
  "node-drain",
  "node-alarm",
  "consumer-timeout",
  "redis-failover"
] as const
export type ClusterFault = (typeof clusterFaults)[number]

export const isOfCluster = (kind: string): kind is ClusterFault => clusterFaults.some((other) => other === kind)

/** A node that no fault holds down, asked anew at each use. */
export const anyNodeOf = ({ harmed, nodes, stop, whole }: Omit<Cluster, "sentinels">): RabbitNode => {
  const up = (): RabbitNode => {
    const found = nodes.find((_, i) => !harmed.has(i)) ?? nodes[0]
    if (found === undefined) throw new Error("a cluster has nodes")
    return found
  }
  const each = async (act: (node: RabbitNode) => Promise<void>): Promise<void> =>
    void (await Promise.all(nodes.filter((_, i) => !harmed.has(i)).map(act)))
  return {
    get url() {
      return up().url
    },
    get port() {
      return up().port
    },
    ctl: (...args) => up().ctl(...args),
    eval: (expression) => up().eval(expression),
    addVhost: (name) => up().addVhost(name),
    addUser: (...args) => up().addUser(...args),
    flush: () => each((node) => node.flush()),
    kill: () => each((node) => node.kill()),
    suspend: () => each((node) => node.suspend()),
    resume: () => each((node) => node.resume()),
    stopApp: () => each((node) => node.stopApp()),
    startApp: () => each((node) => node.startApp()),
    restart: async () => {
      await each((node) => node.restart())
      await whole()
    },
    stop,
    [Symbol.asyncDispose]: stop
  }
}

/** Each quorum queue gets another leader, where it has another node that is up. */
const moveLeaders = `
lists:foreach(fun(Queue) ->
  {_, Leader} = amqqueue:get_pid(Queue),
  Others = [Node || Node <- rabbit_amqqueue:get_quorum_nodes(Queue), Node =/= Leader],
  case Others of
    [] -> alone;
    _ -> catch rabbit_quorum_queue:transfer_leadership(Queue, lists:nth(rand:uniform(length(Others)), Others))
  end
end, [Queue || Queue <- rabbit_amqqueue:list(<<"/">>), amqqueue:get_type(Queue) =:= rabbit_quorum_queue]), ok.`

const text = (value: string): string => `<<${JSON.stringify(value)}>>`

export interface ClusterOrder {
  readonly kind: ClusterFault
  readonly namespace: string
  /** The node that is hit; of a majority it and the next one. */
  readonly at: number
  readonly millis: number
}

export const injectInCluster = async (
  cluster: Cluster,
  { at, kind, millis, namespace }: ClusterOrder
): Promise<void> => {
  const { cut, harmed, nodes, sentinels, whole } = cluster
  const node = nodes[at]
  const next = nodes[(at + 1) % nodes.length]
  if (node === undefined || next === undefined) throw new Error("there is no such node")
  const hold = async (indexes: ReadonlyArray<number>, act: () => Promise<void>): Promise<void> => {
    for (const index of indexes) harmed.add(index)
    await act()
    await whole()
    for (const index of indexes) harmed.delete(index)
  }
  switch (kind) {
    case "node-kill":
      return hold([at], async () => {
        await node.kill()
        await delay(millis)
        await node.restart()
      })
    case "node-hang":
      return hold([at], async () => {
        await node.suspend()
        await delay(millis)
        await node.resume()
      })
    case "node-cut":
      return hold([at], async () => {
        const heal = await cut(at)
        await delay(millis)
        await heal()
      })
    case "majority-lost":
      return hold([at, (at + 1) % nodes.length], async () => {
        await Promise.all([node.kill(), next.kill()])
        await delay(millis)
        await Promise.all([node.restart(), next.restart()])
      })
    case "leaders-move":
      return void (await node.eval(moveLeaders))
    case "nodes-roll":
      for (const [index, each] of nodes.entries())
        await hold([index], async () => {
          await each.stopApp()
          await each.startApp()
        })
      return
    case "node-drain":
      // As `rabbitmq-upgrade drain` before maintenance: its clients are sent away, and it gives up what it leads.
      return hold([at], async () => {
        await node.eval("ok = rabbit_maintenance:drain().")
        await delay(millis)
        await node.eval("ok = rabbit_maintenance:revive().")
      })
    case "node-alarm":
      await node.ctl("set_vm_memory_high_watermark", "0.0001")
      await delay(millis)
      return void (await node.ctl("set_vm_memory_high_watermark", "absolute", "1GB"))
    case "consumer-timeout": {
      // Each consumer of the library asks for a time of its own, which wins.
      const policy = `${text("/")}, ${text("chaos-consumer-timeout")}`
      await node.eval(
        `ok = rabbit_policy:set(${policy}, ${text(`^${namespace}[.]`)}, [{${text("consumer-timeout")}, 1000}], 0, ${text("queues")}, ${text("chaos")}), ok.`
      )
      await delay(millis)
      return void (await node.eval(`rabbit_policy:delete(${policy}, ${text("chaos")}), ok.`))
    }
    case "redis-failover":
      return failOver(sentinels, millis)
  }
}

/** Kills the master, and starts it again when another one is promoted: Sentinel makes it a replica. */
const failOver = async ({ ask, master, name, replica }: RedisSentinels, millis: number): Promise<void> => {
  const present = async (): Promise<number> =>
    Number((await ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", name)).split("\n")[1])
  const old = (await present()) === master.port ? master : replica
  await old.kill()
  for (const end = now() + 30_000; (await present()) === old.port && now() < end;) await delay(100)
  await delay(millis)
  await old.restart()
  // Until then a second failover would find nobody to promote.
  for (const end = now() + 30_000; now() < end; await delay(200)) {
    const role = await old.cli("ROLE").catch(() => "")
    if (role.startsWith("slave") && role.includes("connected")) return
  }
}
