/**
 * How long a key waits for the claim of a process that is gone: `node test/chaos/leases.ts -- --keys 20 --rounds 3`.
 *
 * Two processes of one subscriber, by key and idempotent. While one of them handles an event of each key, its connections
 * are cut, or it is killed. A key goes on with the first handler that begins afterwards and succeeds.
 *
 * --keys, --rounds, --work (milliseconds of a handler), --rabbit, --kv
 */
import { parseArgs } from "node:util"
import { allReady, type Brokers, openBrokers, openDeployment, until } from "./Deployment.ts"
import { historyOf } from "./History.ts"
import { now } from "./Journal.ts"
import type { PublisherOptions } from "./ProcessOptions.ts"
import { quantiles } from "./Statistics.ts"

const { values } = parseArgs({
  options: {
    keys: { type: "string", default: "20" },
    rounds: { type: "string", default: "3" },
    work: { type: "string", default: "1000" },
    rabbit: { type: "string" },
    kv: { type: "string" }
  }
})
if (values.rabbit !== undefined) process.env["EVENTBUS_TEST_RABBITMQ"] = values.rabbit
if (values.kv !== undefined) process.env["EVENTBUS_TEST_KV"] = values.kv
const [count, rounds, work] = [Number(values.keys), Number(values.rounds), Number(values.work)]
const keys = Array.from({ length: count }, (_, i) => `k${i}`)
const group = "leases.group"

const faults = { "lost line": "reset", "half-open line": "swallow", "kill -9": "kill" } as const
type Fault = keyof typeof faults

const measure = async (brokers: Brokers, name: Fault, round: number): Promise<ReadonlyArray<number>> => {
  await using deployment = openDeployment(brokers, `leases-${faults[name]}-${round}`, 7)
  const { namespace, read, seed } = deployment
  const handles = { name: group, events: "step", ordering: "key", idempotent: true } as const
  for (const process of ["s1", "s2"]) {
    const groups = [{ ...handles, concurrency: count, prefetch: 4 * count, deadline: 30_000 }]
    await allReady(deployment, [await deployment.add({ role: "subscriber", name: process, seed, namespace, groups })])
  }
  const publisher: Omit<PublisherOptions, "url" | "redisUrl" | "journal" | "arm"> = {
    role: "publisher",
    name: "p0",
    seed,
    namespace,
    keys,
    rate: 200,
    works: [work],
    work,
    poison: 0,
    flaky: 0,
    old: 0,
    foreign: 0,
    big: 0,
    outbox: false,
    ticks: false
  }
  await deployment.add(publisher)
  const running = () => {
    const runs = historyOf(read(), []).runs.get(group) ?? []
    return runs.filter(({ end }) => end === Infinity)
  }
  await until("an event of each key is handled", () => new Set(running().map(({ key }) => key)).size === count)
  const [first] = running()
  const victim = deployment.worker(first?.who ?? "s1")
  const at = now()
  if (name === "kill -9") await victim.kill()
  else victim.amqp[faults[name] === "reset" ? "reset" : "swallow"]()
  const goesOn = (): ReadonlyMap<string, number> => {
    const found = new Map<string, number>()
    const runs = historyOf(read(), victim.deaths).runs.get(group) ?? []
    for (const { how, key, start } of runs)
      if (how === "done" && start > at && !found.has(key)) found.set(key, start - at)
    return found
  }
  await until("each key goes on", () => goesOn().size === count)
  return [...goesOn().values()]
}

const run = async (): Promise<void> => {
  await using opened = await openBrokers()
  for (const name of ["lost line", "half-open line", "kill -9"] as const) {
    const waits: Array<number> = []
    for (let round = 0; round < rounds; round++) waits.push(...(await measure(opened, name, round)))
    const { count: measured, max, p50, p95 } = quantiles(waits)
    console.log(
      `${name.padEnd(15)} ${measured} keys: p50 ${Math.round(p50)} ms, p95 ${Math.round(p95)} ms, max ${Math.round(max)} ms`
    )
  }
}

await run()
// Node does not end by itself while sockets of half-open lines are still there.
process.exit(0)
