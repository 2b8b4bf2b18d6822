/**
 * How long a single active consumer holds its place although its node is gone: `node test/chaos/places.ts --rabbit 4.3`.
 *
 * Two processes of one subscriber, by key, at two of three nodes. The node of the active one hangs, is cut off, or is killed;
 * or the process itself is stopped. The place was held until the first handler that begins afterwards.
 *
 * --rounds, --ticktime (seconds, of the cluster), --disconnected (milliseconds, a policy of RabbitMQ 4.3), --faults a,b, --keep (a folder for the journals), --rabbit, --kv
 */
import { parseArgs } from "node:util"
import { injectInCluster } from "./ClusterFaults.ts"
import { allReady, openBrokers, openDeployment, until } from "./Deployment.ts"
import { now } from "./Journal.ts"
import type { WorkerOptions } from "./Worker.ts"

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "1" },
    ticktime: { type: "string", default: "60" },
    rabbit: { type: "string", default: "4.3" },
    kv: { type: "string" },
    disconnected: { type: "string" },
    faults: { type: "string" },
    keep: { type: "string" }
  }
})
process.env["EVENTBUS_TEST_RABBITMQ"] = values.rabbit
if (values.kv !== undefined) process.env["EVENTBUS_TEST_KV"] = values.kv
const [rounds, ticktime] = [Number(values.rounds), Number(values.ticktime)]
// RabbitMQ 4.3 waits for another minute (`consumer_disconnected_timeout`).
const millis = (ticktime * 1.25 + 75) * 1000

const faults = ["node-hang", "node-cut", "node-kill", "process-stop"] as const
type Fault = (typeof faults)[number]

await using brokers = await openBrokers(3)
const { cluster } = brokers
if (cluster === undefined) throw new Error("it was opened with three nodes")
for (const { eval: run } of cluster.nodes) await run(`net_kernel:set_net_ticktime(${ticktime}, 0).`)

if (values.disconnected !== undefined)
  await cluster.nodes[0]?.ctl(
    "set_policy",
    "disconnected",
    "^places",
    `{"consumer-disconnected-timeout":${values.disconnected}}`,
    "--apply-to",
    "quorum_queues"
  )

const common = { seed: 7, keys: ["k0", "k1", "k2", "k3"], rate: 20, works: [10], work: 10 } as const
const share = { poison: 0, flaky: 0, old: 0, foreign: 0, big: 0, outbox: false, ticks: false } as const

const measure = async (fault: Fault, round: number) => {
  await using deployment = openDeployment(brokers, `places-${fault}-${round}`, 7)
  const { namespace, read } = deployment
  const add = async (options: WorkerOptions) => {
    const worker = await deployment.add(options)
    await allReady(deployment, [worker])
    return worker
  }
  const groups = [{ name: "places.group", events: "step", ordering: "key", idempotent: false } as const]
  const subscribers = []
  for (const name of ["s1", "s2", "s3"])
    subscribers.push(await add({ role: "subscriber", name, namespace, seed: 7, groups }))
  const publisher = await add({ role: "publisher", name: "p0", namespace, ...common, ...share })
  const starts = () => read().filter(({ t }) => t === "start")
  await until("events are handled", () => starts().length > 40)
  const active = subscribers.find(({ name }) => name === starts().at(-1)?.who) ?? publisher
  const at = active.amqp.busiest()
  const begun = now()
  const places = subscribers.map(({ amqp, name }) => `${name} at ${amqp.busiest()}`).join(", ")
  const run = async (): Promise<void> => {
    if (fault !== "process-stop") return injectInCluster(cluster, { kind: fault, namespace, at, millis })
    active.signal("SIGSTOP")
    await new Promise((resolve) => setTimeout(resolve, millis))
    active.signal("SIGCONT")
  }
  const over = run()
  let seen = 0
  const confirmed = () =>
    read().find((entry) => entry.t === "outcome" && entry.outcome === "Confirmed" && entry.at - entry.ms > begun + 1000)
  const next = () =>
    starts().find((entry) => entry.at > begun + 1000 && (fault !== "process-stop" || entry.who !== active.name))
  await until("the next one handles", () => next() !== undefined && confirmed() !== undefined, 180_000)
  seen = (next()?.at ?? Infinity) - begun
  const { who = "?" } = next() ?? {}
  const published = (confirmed()?.at ?? Infinity) - begun
  await over
  if (values.keep !== undefined) deployment.keep(values.keep)
  return `${(seen / 1000).toFixed(1)} s until ${who} handled (${active.name} was active; ${places}; hit ${at}); published again within ${(published / 1000).toFixed(1)} s`
}

for (const fault of faults.filter((name) => values.faults?.split(",").includes(name) !== false))
  for (let round = 0; round < rounds; round++)
    console.log(`net_ticktime ${ticktime} s, ${fault.padEnd(12)} ${await measure(fault, round)}`)
process.exit(0)
