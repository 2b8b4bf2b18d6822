/**
 * Nodes of RabbitMQ that form a cluster, on this machine. A node can be killed, hang, and be cut off from the others: packets
 * between it and them are dropped, and its clients keep their connections. That needs root and iptables.
 */
import { randomBytes, randomInt } from "node:crypto"
import { setTimeout as delay } from "node:timers/promises"
import { startEpmd } from "./Epmd.ts"
import { execute } from "./Machine.ts"
import { freePort } from "./Port.ts"
import { findBroker, findTool } from "./provision.ts"
import { type RabbitNode, type RabbitOptions, startRabbit } from "./RabbitNode.ts"
import { openScratch } from "./Scratch.ts"

export interface RabbitCluster {
  readonly nodes: ReadonlyArray<RabbitNode>
  /** Erlang's names of the nodes, in the same order. */
  readonly names: ReadonlyArray<string>
  /** Why nodes cannot be cut off here; undefined if they can. */
  readonly cannotCut: string | undefined
  /** Drops what this node and the others send to each other; resolves with what undoes it. */
  readonly cut: (index: number) => Promise<() => Promise<void>>
  /** Waits until each node sees all nodes. */
  readonly whole: () => Promise<void>
  readonly stop: () => Promise<void>
}

/** Erlang that lists the nodes where RabbitMQ runs; 3.10 has another name for it. */
const running = "try rabbit_nodes:list_running() catch error:undef -> rabbit_nodes:all_running() end"

export const startCluster = async (
  size: number,
  { conf = {}, ...options }: Omit<RabbitOptions, "member" | "port"> = {}
): Promise<RabbitCluster> => {
  const source = await findBroker("rabbitmq")
  if (source.kind !== "installed") throw new Error("a cluster needs RabbitMQ to be installed")
  const scratch = openScratch("cluster")
  // Addresses of its own: the packet filters of another cluster of this machine do not meet it.
  const network = `127.${randomInt(1, 255)}.${randomInt(1, 255)}`
  const addresses = Array.from({ length: size }, (_, i) => `${network}.${i + 2}`)
  const [epmdPort, cookie] = [await freePort(), randomBytes(16).toString("hex")]
  const ids = addresses.map((_, i) => `ev${process.pid}n${i}`)
  const names = addresses.map((address, i) => `${ids[i]}@${address}`)
  await startEpmd(scratch, source.folder, epmdPort, addresses)
  const together = {
    "cluster_formation.peer_discovery_backend": "classic_config",
    ...Object.fromEntries(names.map((name, i) => [`cluster_formation.classic_config.nodes.${i + 1}`, name]))
  }
  const started = await Promise.allSettled(
    addresses.map((address, i) =>
      startRabbit({
        ...options,
        conf: { ...together, ...conf },
        member: { id: ids[i] ?? "", address, cookie, epmdPort }
      })
    )
  )
  const nodes = started.flatMap((node) => (node.status === "fulfilled" ? [node.value] : []))
  const stop = async (): Promise<void> => {
    await Promise.all(nodes.map((node) => node.stop()))
    await scratch.close()
  }
  const whole = async (): Promise<void> => {
    for (const end = performance.now() + 120_000; ;) {
      const seen = await Promise.all(nodes.map((node) => node.eval(`length(${running}).`).catch(String)))
      if (seen.every((count) => count === String(size))) return
      if (performance.now() > end) throw new Error(`the nodes see ${seen.join(", ")} of ${size} nodes`)
      await delay(200)
    }
  }
  try {
    for (const node of started) if (node.status === "rejected") throw node.reason
    await whole()
  } catch (error) {
    await stop()
    throw error
  }
  const cannotCut =
    process.getuid?.() !== 0
      ? "that needs root"
      : findTool("iptables") === undefined
        ? "iptables is missing"
        : undefined
  const cut = async (index: number): Promise<() => Promise<void>> => {
    const own = addresses[index] ?? ""
    const rules = addresses
      .filter((other) => other !== own)
      .flatMap((other) => [
        [own, other],
        [other, own]
      ])
      .map(([from = "", to = ""]) => ["INPUT", "-i", "lo", "-s", from, "-d", to, "-j", "DROP"])
    const filter = async (change: "-I" | "-D"): Promise<void> => {
      // One after the other: iptables locks its table.
      for (const rule of rules) await execute("iptables", ["-w", change, ...rule], process.env)
    }
    const forget = scratch.onEnd(rules.map((rule) => `iptables -w -D ${rule.join(" ")} 2>/dev/null`).join("\n"))
    await filter("-I")
    return async () => {
      await filter("-D")
      forget()
    }
  }
  return { nodes, names, cannotCut, cut, whole, stop }
}
