/**
 * The end of a run: the faults are over, all processes are back, and the promises must come true. Then all
 * processes end in good order, and nothing of them may be left on the broker.
 */
import { setTimeout as delay } from "node:timers/promises"
import { isRights } from "./Faults.ts"
import { isPoison } from "./Events.ts"
import { historyOf } from "./History.ts"
import { eventsIn, type RawDeadLetter, readDeadLetters } from "./DeadLetterReader.ts"
import { now } from "./Journal.ts"
import { allReady, type Deployment, until } from "./Deployment.ts"
import { mayComeTwice } from "./ProcessRules.ts"
import type { Violation } from "./GroupRules.ts"
import type { Death } from "./Worker.ts"

export interface Converged {
  readonly violations: ReadonlyArray<Violation>
  readonly letters: ReadonlyMap<string, ReadonlyArray<RawDeadLetter>>
  readonly convergeMillis: number
}

/** The groups to which every event is promised. */
export const judgedGroups = ({ groups }: Deployment) => groups.filter(({ events }) => events !== "tick")

/** Publishers that got a right back publish again, after a while: a refusal is remembered. */
export const goesOn = async (deployment: Deployment): Promise<void> => {
  for (const { kind, targets, to } of deployment.windows) {
    const [name = ""] = targets
    if (!isRights(kind) || deployment.worker(name).role !== "publisher") continue
    const publishes = (): boolean =>
      deployment
        .read()
        .some(
          (entry) =>
            entry.t === "outcome" && entry.outcome === "Confirmed" && entry.who === name && entry.at - entry.ms > to
        )
    // The judgement says it if it does not.
    await until(`${name} publishes again`, publishes, 60_000).catch(() => undefined)
  }
}

/** The publishers stop: no new events. */
export const endPublishing = (deployment: Deployment): Promise<ReadonlyArray<Death>> =>
  Promise.all(deployment.workers.filter(({ role }) => role === "publisher").map((worker) => worker.terminate()))

export const converge = async (
  deployment: Deployment,
  millis: number,
  { looksForLeaks = true }: { readonly looksForLeaks?: boolean } = {}
): Promise<Converged> => {
  const violations: Array<Violation> = []
  const subscribers = deployment.workers.filter(({ role }) => role === "subscriber")
  await Promise.all(subscribers.map((worker) => worker.start()))
  await allReady(deployment, subscribers)
  const started = now()
  const letters = new Map<string, ReadonlyArray<RawDeadLetter>>()
  let missing: ReadonlyMap<string, ReadonlyArray<string>> = new Map()
  let filled: ReadonlyArray<string> = []
  for (;;) {
    missing = await missingOf(deployment, letters)
    filled = missing.size === 0 ? await filledQueues(deployment) : []
    if (missing.size === 0 && filled.length === 0) break
    if (now() - started > millis) break
    await delay(500)
  }
  const convergeMillis = now() - started
  const entries = deployment.read()
  for (const [group, ids] of missing) {
    const shown = ids.slice(0, 5).map((id) => {
      const lines = entries.filter(
        (entry) => "id" in entry && entry.id === id && (!("g" in entry) || entry.g === group)
      )
      return `${id}:\n${lines.map((line) => `      ${JSON.stringify(line)}`).join("\n")}`
    })
    violations.push({ rule: "not converged", group, detail: `${ids.length} are missing; ${shown.join("\n    ")}`, ids })
  }
  if (filled.length > 0) violations.push({ rule: "left in a queue", detail: filled.join(", "), ids: [] })

  await Promise.all(subscribers.map((worker) => worker.terminate()))
  if (looksForLeaks) violations.push(...(await remains(deployment)))
  for (const { name } of judgedGroups(deployment)) letters.set(name, await readDeadLetters(deployment, name))
  return { violations, letters, convergeMillis }
}

/** Events that are confirmed and neither handled nor dead-lettered, by group. */
const missingOf = async (
  deployment: Deployment,
  letters: Map<string, ReadonlyArray<RawDeadLetter>>
): Promise<ReadonlyMap<string, ReadonlyArray<string>>> => {
  const history = historyOf(deployment.read(), [])
  const confirmed = [...history.published.values()].filter(({ fate }) => fate === "Confirmed")
  const missing = new Map<string, ReadonlyArray<string>>()
  for (const { also = "", events, name } of judgedGroups(deployment)) {
    const done = new Set([...history.done(name), ...history.done(also)])
    const undone = confirmed.filter(({ flow, id }) => flow === events && !done.has(id))
    // While healthy events are on their way the dead letters are not read: that loads the broker and shows nothing.
    const dead = (): ReadonlySet<string> => new Set((letters.get(name) ?? []).map(({ event }) => event))
    if (undone.every(({ kind }) => isPoison(kind)) || letters.has(name)) {
      const known = dead()
      if (undone.some(({ id }) => !known.has(id))) letters.set(name, await readDeadLetters(deployment, name))
    }
    const found = dead()
    const ids = undone.filter(({ id }) => !found.has(id)).map(({ id }) => id)
    if (ids.length > 0) missing.set(name, ids)
  }
  return missing
}

/** Every queue that must be empty in the end. */
const drainedQueues = ({ groups, namespace }: Deployment): ReadonlyArray<string> => [
  ...groups.map(({ name }) => `${namespace}.sub.${name}`),
  ...groups.flatMap(({ name, parks = false }) => (parks ? [`${namespace}.parked.${name}`] : [])),
  `${namespace}.delay.00`,
  `${namespace}.undeliverable`
]

/** Levels of the ladder have a queue from their first message on. */
const levelQueues = ({ namespace }: Deployment): ReadonlyArray<string> =>
  Array.from({ length: 19 }, (_, n) => `${namespace}.delay.${String(n + 1).padStart(2, "0")}`)

const levelsThere = async (deployment: Deployment): Promise<ReadonlyArray<string>> => {
  const names = new Set((await deployment.node.ctl("list_queues", "name")).split("\n").map((name) => name.trim()))
  return levelQueues(deployment).filter((name) => names.has(name))
}

/** A keyed subscriber parks what waits for another process; it has this queue from the first time on. */
const handoverQueues = ({ groups, namespace }: Deployment): ReadonlyArray<string> =>
  groups.flatMap(({ name, ordering, parks = false }) =>
    ordering === "key" && !parks ? [`${namespace}.parked.${name}`] : []
  )

const filledQueues = async (deployment: Deployment): Promise<ReadonlyArray<string>> => {
  const count = (queue: string): Promise<string> =>
    deployment.ready(queue).then((n) => (n > 0 ? `${queue} has ${n}` : ""))
  const mayBeMissing = [...handoverQueues(deployment), ...levelQueues(deployment)]
  const found = await Promise.all(mayBeMissing.map((queue) => count(queue).catch(() => "")))
  const others = await deployment.observe(async (channel) => {
    const filled: Array<string> = []
    for (const queue of drainedQueues(deployment)) {
      const { messageCount } = await channel.checkQueue(queue)
      if (messageCount > 0) filled.push(`${queue} has ${messageCount}`)
    }
    return filled
  })
  return [...others, ...found.filter((text) => text !== "")]
}

/** What may have been sent twice may be stored once more by a node that goes on after its subscribers have ended. */
const areAllLate = async (deployment: Deployment): Promise<boolean> => {
  const late = mayComeTwice(historyOf(deployment.read(), []), deployment.windows)
  const found = await Promise.all(
    [...drainedQueues(deployment), ...(await levelsThere(deployment))].map(async (queue) => {
      const events = await eventsIn(deployment, queue).catch(() => ["?"])
      return events.every((event) => late.has(event))
    })
  )
  return found.every((isLate) => isLate)
}

/** Nothing is left: no connection, no queue of one process, no event that was held and came back. */
const remains = async (deployment: Deployment): Promise<ReadonlyArray<Violation>> => {
  const { groups, namespace, node } = deployment
  const violations: Array<Violation> = []
  const counts =
    '{length(rabbit_amqqueue:consumers_all(<<"/">>)), length(rabbit_networking:connections()), length(rabbit_channel:list())}.'
  // A connection that was broken on our side alone ends with the broker's heartbeat.
  let left = ""
  for (const end = now() + 120_000; ;) {
    left = (await node.eval(counts)).replaceAll(" ", "")
    if (left === "{0,0,0}" || now() > end) break
    await delay(500)
  }
  if (left !== "{0,0,0}")
    violations.push({
      rule: "leak",
      detail: `consumers, connections and channels left on the broker: ${left}`,
      ids: []
    })
  // Canaries stay for a second in the ladder.
  let filled = await filledQueues(deployment)
  for (const end = now() + 60_000; filled.length > 0 && now() < end;) {
    await delay(250)
    filled = await filledQueues(deployment)
  }
  if (filled.length > 0 && (await areAllLate(deployment))) filled = []
  if (filled.length > 0)
    violations.push({ rule: "left in a queue", detail: `after the end: ${filled.join(", ")}`, ids: [] })
  const expected = new Set([
    ...drainedQueues(deployment),
    ...handoverQueues(deployment),
    ...levelQueues(deployment),
    ...groups.map(({ name }) => `${namespace}.dead.${name}`),
    // A keyed subscriber has it from the first key that it parks.
    ...groups.flatMap(({ name, ordering }) => (ordering === "key" ? [`${namespace}.parked.${name}`] : [])),
    `${namespace}.canary`
  ])
  const names = (await node.ctl("list_queues", "name")).split("\n").map((name) => name.trim())
  const strange = names.filter((name) => name.startsWith(`${namespace}.`) && !expected.has(name))
  if (strange.length > 0) violations.push({ rule: "leak", detail: `queues left: ${strange.join(", ")}`, ids: [] })
  return violations
}
