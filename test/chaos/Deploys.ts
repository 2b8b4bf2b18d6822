/**
 * Rolling deploys of a subscriber, step by step as docs/guides/change-a-running-system.md has them, with old and new code
 * side by side and events arriving all the time: an event is added or removed, a version is added, a subscriber is renamed
 * and gets another ordering, and a deploy is rolled back halfway and begun again.
 */
import { setTimeout as delay } from "node:timers/promises"
import { fromSeed } from "../support/RandomSource.ts"
import { bringUp, type Deployment, until } from "./Deployment.ts"
import { nameOf } from "./Events.ts"
import { foreignPublisher } from "./ForeignPublisher.ts"
import { historyOf } from "./History.ts"
import { newName, oldName, type Release } from "./Releases.ts"
import type { Worker } from "./Worker.ts"

export interface Deploy {
  /** `event` adds an event, or removes it when it is there; `name` changes name and ordering of a subscriber. */
  readonly change: "event" | "version" | "name"
  readonly rollsBack: boolean
}

const source = "run"
const keys = Array.from({ length: 8 }, (_, i) => `d${i}`)
const sideBySideMillis = 1500

/** Publishes what the present code of its publisher has, each key in order, until it is stopped. */
const openTraffic = (deployment: Deployment, seed: string, release: Release) => {
  const { namespace, node, note } = deployment
  const random = fromSeed(deployment.seed).fork(seed)
  const publisher = foreignPublisher(node.url, `${namespace}.events`, 20_000)
  const before = deployment.read().filter((entry) => entry.t === "intent" && entry.flow === "deployed")
  const seqs = new Map(
    keys.map((key) => [key, before.filter((entry) => entry.t === "intent" && entry.key === key).length])
  )
  let n = before.length
  let current = release
  let isOver = false
  const publish = async (key: string): Promise<void> => {
    const seq = seqs.get(key) ?? 0
    seqs.set(key, seq + 1)
    const id = `deployed-${n++}`
    const event = nameOf(source, id)
    // A publisher that was forgotten may go on; its events are wanted by nobody.
    const isRetired = !current.cancels && release.cancels
    const isCancelled = (current.cancels || isRetired) && random.next() < 0.5
    const type = isCancelled ? "chaos.cancelled" : "chaos.placed"
    const dataschema = `urn:event:${type}:${isCancelled ? 1 : current.version}`
    const data = { key, seq, ms: random.below(10) }
    const body = Buffer.from(JSON.stringify({ specversion: "1.0", id, source, type, subject: key, dataschema, data }))
    note({ t: "intent", id: event, key, seq, kind: "plain", flow: "deployed" })
    const outcome = await publisher.send({ type, body, properties: { messageId: id, type } })
    if (!isRetired || !isCancelled) note({ t: "outcome", id: event, outcome, ms: 0 })
  }
  const ended = Promise.all(
    keys.map(async (key) => {
      while (!isOver) {
        await publish(key)
        await delay(random.between(50, 250))
      }
    })
  )
  return {
    follow: (release: Release): void => void (current = release),
    stop: async (): Promise<void> => {
      isOver = true
      await ended
      await publisher.close()
    }
  }
}

/** Waits until every group has handled everything that was published; the judgement says what none of them handles. */
const handled = (deployment: Deployment): Promise<void> =>
  until(
    "everything is handled",
    () => {
      const { done, published } = historyOf(deployment.read(), [])
      const events = [...published.values()].filter(({ fate, flow }) => flow === "deployed" && fate === "Confirmed")
      return deployment.groups
        .filter((group) => group.events === "deployed")
        .every(({ also, name }) =>
          events.every(({ id }) => done(name).has(id) || (also !== undefined && done(also).has(id)))
        )
    },
    60_000
  ).catch(() => undefined)

type Traffic = ReturnType<typeof openTraffic>

/** The steps of a change, or of one of the event when there is no other left: each is a release that goes from process to process. */
const stepsOf = (old: Release, change: Deploy["change"]): ReadonlyArray<Release> => {
  if (change === "version" && old.version < 3) return [{ ...old, version: old.version === 1 ? 2 : 3 }]
  if (change === "name" && old.naming === "old")
    return [
      { ...old, naming: "both" },
      { ...old, naming: "new" }
    ]
  // What a process has retired it acknowledges, so none may have it retired when another one handles it again.
  return [...(old.retires ? [{ ...old, retires: false }] : []), { ...old, cancels: !old.cancels, retires: old.cancels }]
}

/** Takes a release from process to process. */
const roll = async (
  deployment: Deployment,
  workers: ReadonlyArray<Worker>,
  traffic: Traffic,
  release: Release,
  rollsBack: boolean
): Promise<void> => {
  const to = async (worker: Worker, next: Release): Promise<void> => {
    await worker.terminate()
    worker.deploy(next)
    await bringUp(deployment, [worker])
  }
  for (const [i, worker] of workers.entries()) {
    const old = worker.release() ?? release
    await to(worker, release)
    // It is published as soon as one process knows it.
    traffic.follow(release)
    await delay(sideBySideMillis)
    if (i > 0 || !rollsBack) continue
    await to(worker, old)
    await delay(sideBySideMillis)
    await to(worker, release)
  }
}

/** Every process has retired it, so its bindings are deleted by hand. The next process that wants it binds it again. */
const unbindRetired = ({ groups, namespace, observe }: Deployment): Promise<void> =>
  observe(async (channel) => {
    for (const { name } of groups.filter(({ events }) => events === "deployed")) {
      const queue = `${namespace}.sub.${name}`
      await channel.unbindQueue(queue, `${namespace}.events`, "chaos.cancelled")
      await channel.unbindQueue(queue, `${namespace}.delay.deliver`, `${"*.".repeat(20)}publish.chaos.cancelled`)
    }
  })

/** Nobody consumes under the old name any more; the new one has had each event as well. */
const unbindOldName = ({ namespace, observe }: Deployment): Promise<void> =>
  observe(async (channel) => {
    const queue = `${namespace}.sub.${oldName.name}`
    for (const event of ["chaos.placed", "chaos.cancelled"])
      await channel.unbindQueue(queue, `${namespace}.events`, event)
    await channel.purgeQueue(queue)
  })

export const deploy = async (
  deployment: Deployment,
  workers: ReadonlyArray<Worker>,
  { change, rollsBack }: Deploy
): Promise<void> => {
  const old = workers[0]?.release()
  if (old === undefined) throw new Error("a deploy needs processes with a release")
  const traffic = openTraffic(deployment, `deploy/${deployment.windows.length}`, old)
  await delay(500)
  for (const release of stepsOf(old, change)) {
    if (old.cancels && !release.cancels) {
      // What is retired must not be wanted any more.
      traffic.follow(release)
      await handled(deployment)
    }
    if (release.naming === "new" && old.naming !== "new") await handled(deployment)
    if (release.naming === "both") deployment.adopt(newName)
    await roll(deployment, workers, traffic, release, rollsBack)
    if (release.retires) await unbindRetired(deployment)
    if (release.naming === "new" && old.naming !== "new") await unbindOldName(deployment)
  }
  await traffic.stop()
}
