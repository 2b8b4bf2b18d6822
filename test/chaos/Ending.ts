/**
 * The end of a run: the faults are over, everybody is back, and what was promised has to become true. Then
 * all processes end in good order and the broker must have nothing of them.
 */
import { setTimeout as delay } from "node:timers/promises"
import { isPoison } from "./Contract.ts"
import { historyOf } from "./History.ts"
import { type Letter, readLetters } from "./Letters.ts"
import { now } from "./Ledger.ts"
import { allReady, type Stage } from "./Stage.ts"
import type { Violation } from "./Verdict.ts"
import type { Death } from "./Worker.ts"

export interface Ended {
  readonly violations: ReadonlyArray<Violation>
  readonly letters: ReadonlyMap<string, ReadonlyArray<Letter>>
  readonly convergeMillis: number
}

const stepGroups = ({ groups }: Stage) => groups.filter(({ events }) => events === "step")

/** The publishers stop; nothing new comes any more. */
export const endPublishing = (stage: Stage): Promise<ReadonlyArray<Death>> =>
  Promise.all(stage.workers.filter(({ role }) => role === "publisher").map((worker) => worker.terminate()))

export const converge = async (
  stage: Stage,
  millis: number,
  { looksForLeaks = true }: { readonly looksForLeaks?: boolean } = {}
): Promise<Ended> => {
  const violations: Array<Violation> = []
  const subscribers = stage.workers.filter(({ role }) => role === "subscriber")
  await Promise.all(subscribers.map((worker) => worker.start()))
  await allReady(stage, subscribers)
  const started = now()
  const letters = new Map<string, ReadonlyArray<Letter>>()
  let missing: ReadonlyMap<string, ReadonlyArray<string>> = new Map()
  let filled: ReadonlyArray<string> = []
  for (;;) {
    missing = await missingOf(stage, letters)
    filled = missing.size === 0 ? await filledQueues(stage) : []
    if (missing.size === 0 && filled.length === 0) break
    if (now() - started > millis) break
    await delay(500)
  }
  const convergeMillis = now() - started
  const entries = stage.read()
  for (const [group, ids] of missing) {
    const told = ids.slice(0, 5).map((id) => {
      const lines = entries.filter(
        (entry) => "id" in entry && entry.id === id && (!("g" in entry) || entry.g === group)
      )
      return `${id}:\n${lines.map((line) => `      ${JSON.stringify(line)}`).join("\n")}`
    })
    violations.push({ rule: "not converged", group, detail: `${ids.length} are missing; ${told.join("\n    ")}`, ids })
  }
  if (filled.length > 0) violations.push({ rule: "left in a queue", detail: filled.join(", "), ids: [] })

  await Promise.all(subscribers.map((worker) => worker.terminate()))
  if (looksForLeaks) violations.push(...(await remains(stage)))
  for (const { name } of stepGroups(stage)) letters.set(name, await readLetters(stage, name))
  return { violations, letters, convergeMillis }
}

/** What is confirmed and neither handled nor dead-lettered, by group. */
const missingOf = async (
  stage: Stage,
  letters: Map<string, ReadonlyArray<Letter>>
): Promise<ReadonlyMap<string, ReadonlyArray<string>>> => {
  const history = historyOf(stage.read(), [])
  const confirmed = [...history.published.values()].filter(({ fate }) => fate === "Confirmed")
  const missing = new Map<string, ReadonlyArray<string>>()
  for (const { name } of stepGroups(stage)) {
    const done = history.done(name)
    const undone = confirmed.filter(({ id }) => !done.has(id))
    // While healthy events are on their way the dead letters are not read: it costs the broker more than it tells.
    const dead = (): ReadonlySet<string> => new Set((letters.get(name) ?? []).map(({ eventId }) => eventId))
    if (undone.every(({ kind }) => isPoison(kind)) || letters.has(name)) {
      const known = dead()
      if (undone.some(({ id }) => !known.has(id))) letters.set(name, await readLetters(stage, name))
    }
    const found = dead()
    const ids = undone.filter(({ id }) => !found.has(id)).map(({ id }) => id)
    if (ids.length > 0) missing.set(name, ids)
  }
  return missing
}

/** Every queue that may not hold anything in the end. */
const drainedQueues = ({ groups, namespace }: Stage): ReadonlyArray<string> => [
  ...groups.map(({ name }) => `${namespace}.sub.${name}`),
  ...groups.flatMap(({ name, parks = false }) => (parks ? [`${namespace}.parked.${name}`] : [])),
  ...Array.from({ length: 20 }, (_, level) => `${namespace}.delay.${String(level).padStart(2, "0")}`),
  `${namespace}.undeliverable`
]

const filledQueues = async (stage: Stage): Promise<ReadonlyArray<string>> =>
  stage.observe(async (channel) => {
    const filled: Array<string> = []
    for (const queue of drainedQueues(stage)) {
      const { messageCount } = await channel.checkQueue(queue)
      if (messageCount > 0) filled.push(`${queue} has ${messageCount}`)
    }
    return filled
  })

/** Nobody is left: no connection, no queue of one process, nothing that was held and came back. */
const remains = async (stage: Stage): Promise<ReadonlyArray<Violation>> => {
  const { groups, namespace, node } = stage
  const violations: Array<Violation> = []
  const open = "length(rabbit_networking:connections()) + length(rabbit_channel:list())."
  const consumers = (): Promise<string> => node.ctl("list_consumers", "queue_name")
  // A connection that was broken on our side alone ends with the broker's heartbeat.
  let left = ""
  for (const end = now() + 20_000; ;) {
    const held = await consumers()
    left = held === "" ? await node.ctl("eval", open) : `consumers of ${held}`
    if (left === "0" || now() > end) break
    await delay(500)
  }
  if (left !== "0")
    violations.push({ rule: "leak", detail: `connections and channels left on the broker: ${left}`, ids: [] })
  // Canaries stay for a second in the ladder.
  let filled = await filledQueues(stage)
  for (const end = now() + 5000; filled.length > 0 && now() < end;) {
    await delay(250)
    filled = await filledQueues(stage)
  }
  if (filled.length > 0)
    violations.push({ rule: "left in a queue", detail: `after the end: ${filled.join(", ")}`, ids: [] })
  const expected = new Set([
    ...drainedQueues(stage),
    ...groups.map(({ name }) => `${namespace}.dead.${name}`),
    `${namespace}.canary`
  ])
  const names = (await node.ctl("list_queues", "name")).split("\n").map((name) => name.trim())
  const strange = names.filter((name) => name.startsWith(`${namespace}.`) && !expected.has(name))
  if (strange.length > 0) violations.push({ rule: "leak", detail: `queues left: ${strange.join(", ")}`, ids: [] })
  return violations
}
