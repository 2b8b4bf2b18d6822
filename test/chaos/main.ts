/**
 * Real processes, real brokers, real faults: `npm run chaos -- --seconds 120 --seed 7`, and
 * `npm run chaos -- --controls` to see that planted bugs are found; some are only seen on a cluster: `--controls --cluster 3
 * --rabbit 4.3`.
 *
 * --seconds, --seed, --rate (events a second of each of two publishers), --converge (seconds), --faults a,b,c
 * (these in this order), --poison (share), --json <file>, --keep <folder>; with --controls also --only <bug>,<bug>
 *
 * --cluster 3: nodes of a cluster are killed, hang and are cut off, and a Redis that Sentinel watches fails over. As root.
 * --rabbit 4.3, --kv valkey-9: on these versions (test/support/BrokerVersions.ts)
 *
 * --outbox: writers, relays, readers, database and broker of an outbox are killed at each statement; also --kills,
 * --inbox-kills, --database postgres|mariadb|mysql, and with --controls its planted bugs
 */
import { writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { bugsOn, runControls } from "./Controls.ts"
import { faultKinds, type FaultKind } from "./Faults.ts"
import { report } from "./Report.ts"
import { run } from "./Run.ts"
import { openBrokers } from "./Deployment.ts"

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "120" },
    seed: { type: "string", default: "7" },
    rate: { type: "string", default: "60" },
    converge: { type: "string", default: "90" },
    poison: { type: "string", default: "0.005" },
    faults: { type: "string" },
    json: { type: "string" },
    keep: { type: "string" },
    controls: { type: "boolean", default: false },
    only: { type: "string" },
    cluster: { type: "string", default: "1" },
    rabbit: { type: "string" },
    kv: { type: "string" },
    outbox: { type: "boolean", default: false },
    kills: { type: "string", default: "1000" },
    "inbox-kills": { type: "string", default: "500" },
    database: { type: "string", default: "postgres" }
  }
})

// provision.ts looks there.
if (values.rabbit !== undefined) process.env["EVENTBUS_TEST_RABBITMQ"] = values.rabbit
if (values.kv !== undefined) process.env["EVENTBUS_TEST_KV"] = values.kv

const isFault = (name: string): name is FaultKind => faultKinds.some((kind) => kind === name)
const faults = values.faults?.split(",").map((name) => {
  if (!isFault(name)) throw new Error(`"${name}" is not a fault: ${faultKinds.join(", ")}`)
  return name
})
const seed = Number(values.seed)
const print = (line: string): void => console.log(line)
const save = (result: unknown): void => {
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(result, null, 2)}\n`)
}

const chaos = async (): Promise<boolean> => {
  await using brokers = await openBrokers(Number(values.cluster))
  const judgement = await run(brokers, {
    seed,
    seconds: Number(values.seconds),
    rate: Number(values.rate),
    convergeSeconds: Number(values.converge),
    poison: Number(values.poison),
    evidence: join(tmpdir(), `eventbus-chaos-${seed}`),
    ...(values.keep !== undefined && { keep: values.keep }),
    print,
    ...(faults !== undefined && { faults })
  })
  save(judgement)
  for (const line of report(judgement)) print(line)
  return judgement.violations.length === 0
}

const controls = async (): Promise<boolean> => {
  await using brokers = await openBrokers(Number(values.cluster))
  const which = bugsOn(brokers).filter((bug) => values.only === undefined || values.only.split(",").includes(bug))
  const results = await runControls(brokers, seed, print, which)
  save(results)
  return results.every(({ isCaught, isGreenWithout }) => isCaught && isGreenWithout)
}

const outbox = async (): Promise<boolean> => {
  const { chaos, chaosControls, openServers } = await import("../outbox/kills/Chaos.ts")
  const { databaseNames } = await import("../outbox/kills/DatabaseServer.ts")
  const database = databaseNames.find((name) => name === values.database)
  if (database === undefined) throw new Error(`"${values.database}" is no database: ${databaseNames.join(", ")}`)
  await using servers = await openServers(database)
  const result = values.controls
    ? await chaosControls(servers, print, values.only)
    : await chaos(servers, { kills: Number(values.kills), inboxKills: Number(values["inbox-kills"]), print })
  save(result)
  return result.isGood
}

const good = await (values.outbox ? outbox() : values.controls ? controls() : chaos())
process.exit(good ? 0 : 1)
