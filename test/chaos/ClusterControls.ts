/** The controls that need the nodes of a cluster: `npm run chaos -- --controls --cluster 3 --rabbit 4.3`. */
import type { Control } from "./Controls.ts"
import { type Cluster, injectInCluster } from "./ClusterFaults.ts"
import type { Bug } from "./ProcessOptions.ts"
import type { ShortRun } from "./ShortRun.ts"

export const clusterBugs = [
  "timeout-is-deletion",
  "silent-line-kept",
  "binds-on-consume-line"
] as const satisfies ReadonlyArray<Bug>
export type ClusterBug = (typeof clusterBugs)[number]

const clusterOf = ({ cluster }: ShortRun): Cluster => {
  if (cluster === undefined) throw new Error("this control needs nodes of a cluster: --cluster 3")
  return cluster
}

/** The node that leads the metadata. */
const metadataLeader = async ({ names, nodes }: Cluster): Promise<number> => {
  const answer = await nodes[0]?.eval("{_, Leader} = ra_leaderboard:lookup_leader(rabbitmq_metadata), Leader.")
  return names.indexOf((answer ?? "").replaceAll("'", ""))
}

const leadMetadata = async (cluster: Cluster, at: number): Promise<void> => {
  const member = (index: number): string => `{rabbitmq_metadata, '${cluster.names[index]}'}`
  await cluster.nodes[0]?.eval(`ra:transfer_leadership(${member(await metadataLeader(cluster))}, ${member(at)}).`)
}

const hit = async (
  run: ShortRun,
  kind: "node-cut" | "node-hang" | "consumer-timeout",
  at: number,
  millis: number
): Promise<void> =>
  run.during(kind, [], () => injectInCluster(clusterOf(run), { kind, namespace: run.namespace, at, millis }))

export const clusterControls: Readonly<Record<ClusterBug, Control>> = {
  "timeout-is-deletion": {
    rules: ["order", "overlap"],
    play: async (run) => {
      const ordered = { ordering: "key", prefetch: 8, deadline: 20_000 } as const
      // A policy holds for consumers that begin when it is there.
      const timeouts = hit(run, "consumer-timeout", 0, 40_000)
      for (const name of ["s1", "s2"]) await run.subscribe(name, ordered)
      await run.publish({ count: 120, keys: ["k0", "k1"], works: [300] })
      await timeouts
    }
  },
  "silent-line-kept": {
    rules: ["standstill"],
    play: async (run) => {
      await run.subscribe("s1", {})
      const publisher = await run.publish({ rate: 40 })
      await run.lines("done", 20)
      await hit(run, "node-cut", publisher.amqp.busiest(), 40_000)
    }
  },
  "binds-on-consume-line": {
    rules: ["line ended"],
    play: async (run) => {
      const cluster = clusterOf(run)
      const worker = await run.subscribe("s1", {})
      await run.publish({ rate: 20 })
      await run.lines("done", 20)
      const own = worker.amqp.busiest()
      if ((await metadataLeader(cluster)) === own) await leadMetadata(cluster, (own + 1) % cluster.nodes.length)
      await hit(run, "node-hang", await metadataLeader(cluster), 40_000)
    }
  }
}
