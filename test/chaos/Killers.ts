/**
 * Events that end the process of their handler, among events that do not: the run publishes them itself and starts
 * the processes again, as an orchestrator does, until every killer is a dead letter.
 */
import { createHash } from "node:crypto"
import { setTimeout as delay } from "node:timers/promises"
import { readDeadLetters } from "./DeadLetterReader.ts"
import { bringUp, type Deployment } from "./Deployment.ts"
import { nameOf } from "./Events.ts"
import { foreignPublisher } from "./ForeignPublisher.ts"
import { now } from "./Journal.ts"
import type { Group } from "./ProcessOptions.ts"
import type { Worker } from "./Worker.ts"

export interface Killers {
  /** The flow of the subscriber that is hit. */
  readonly flow: "mortal" | "mortal-by-key"
  readonly count: number
  /** Where they stand among the others. */
  readonly place: "first" | "middle" | "last"
  /** Milliseconds until a handler ends its process; 0 is within its first turn. */
  readonly after: number
}

/** Without order, and by key. */
export const mortals: ReadonlyArray<Group> = [
  { name: "chaos.mortal", events: "mortal", ordering: "none", idempotent: false },
  { name: "chaos.mortal-by-key", events: "mortal-by-key", ordering: "key", idempotent: false }
]

const innocents = 36
const source = "run"
/** For the slowest of machines. */
const limitMillis = 150_000

/** Events of a flow in the order of their publishes. */
const burst = (deployment: Deployment, { after, count, flow, place }: Killers) => {
  const before = deployment.read().filter((entry) => entry.t === "intent" && entry.flow === flow)
  const total = innocents + count
  const first = { first: 0, middle: Math.floor(innocents / 2), last: innocents }[place]
  const seqs = new Map<string, number>()
  return Array.from({ length: total }, (_, i) => {
    const isKiller = i >= first && i < first + count
    // Each key has several events, so there are some behind a killer.
    const key = `m${i % 12}`
    const seq = seqs.get(key) ?? before.filter((entry) => entry.t === "intent" && entry.key === key).length
    seqs.set(key, seq + 1)
    const data = { key, seq, kind: isKiller ? ("killer" as const) : ("plain" as const), ms: isKiller ? after : i % 4 }
    return { id: `${flow}-${before.length + i}`, data }
  })
}

export const strike = async (
  deployment: Deployment,
  workers: ReadonlyArray<Worker>,
  killers: Killers
): Promise<void> => {
  const { namespace, node, note, ready } = deployment
  const { count, flow } = killers
  const group = deployment.groups.find(({ events }) => events === flow)?.name ?? ""
  const letters = (): Promise<number> => ready(`${namespace}.dead.${group}`)
  const before = await letters()
  const events = burst(deployment, killers)
  const toKill = events.filter(({ data }) => data.kind === "killer").map(({ id }) => nameOf(source, id))
  /** Innocents can be dead letters as well: the judgement says so. */
  const areAllDead = async (): Promise<boolean> => {
    if ((await letters()) < before + count) return false
    const dead = new Set((await readDeadLetters(deployment, group)).map(({ event }) => event))
    return toKill.every((id) => dead.has(id))
  }
  const publisher = foreignPublisher(node.url, `${namespace}.events`, 20_000)
  await Promise.all(
    events.map(async ({ data, id }) => {
      const { key, kind, ms, seq } = data
      const event = nameOf(source, id)
      const type = `chaos.${flow}`
      const body = Buffer.from(
        JSON.stringify({ specversion: "1.0", id, source, type, subject: key, dataschema: `urn:event:${type}:1`, data })
      )
      note({ t: "intent", id: event, key, seq, kind, flow, ms })
      note({ t: "wire", id: event, sha: createHash("sha256").update(body).digest("hex") })
      const outcome = await publisher.send({ type, body, properties: { messageId: id, type } })
      note({ t: "outcome", id: event, outcome, ms: 0 })
    })
  )
  await publisher.close()
  const end = now() + limitMillis
  let looked = now()
  for (;;) {
    for (const worker of workers) await worker.start()
    await delay(20)
    if (now() - looked < 500) continue
    looked = now()
    if (looked > end || (await areAllDead())) break
  }
  await bringUp(deployment, workers)
}
