/** One run: processes, load, faults, the end, the judgement. */
import { setTimeout as delay } from "node:timers/promises"
import { fromSeed } from "../support/RandomSource.ts"
import type { OperatorOptions, PublisherOptions, SubscriberOptions } from "./ProcessOptions.ts"
import { converge, endPublishing, goesOn } from "./Convergence.ts"
import { type FaultKind, inject, isRedis, sacrifice } from "./Faults.ts"
import { type Judgement, judgeRun } from "./Judgement.ts"
import { now } from "./Journal.ts"
import { mortals } from "./Killers.ts"
import { deployed, firstRelease } from "./Releases.ts"
import { foreign } from "./Events.ts"
import { type Cast, describePlan, type Planned, planOf, planOfCluster } from "./Plan.ts"
import { allReady, type Brokers, openDeployment, type Deployment, until } from "./Deployment.ts"

export interface RunOptions {
  readonly seed: number
  /** How long the load lasts. */
  readonly seconds: number
  /** Events a second of each publisher. */
  readonly rate: number
  /** How long the promises may take to come true after the faults. */
  readonly convergeSeconds: number
  /** These faults in this order, instead of a random plan. */
  readonly faults?: ReadonlyArray<FaultKind>
  /** Share of poison events. */
  readonly poison?: number
  readonly namespace?: string
  readonly print: (line: string) => void
  /** Folder for the journals. */
  readonly keep?: string
  /** Folder for the journals when a promise was broken. */
  readonly evidence?: string
}

const cast: Cast = {
  publishers: ["p0", "p1"],
  subscribers: ["a1", "a2", "b1"],
  mortals: ["m1", "m2"],
  operators: ["o1"],
  deployed: ["d1", "d2"]
}

const publisher = (
  options: RunOptions,
  namespace: string,
  n: number
): Omit<PublisherOptions, "url" | "redisUrl" | "journal" | "arm"> => ({
  role: "publisher",
  name: `p${n}`,
  seed: options.seed,
  namespace,
  rate: options.rate,
  keys: Array.from({ length: 32 }, (_, i) => `p${n}-k${i}`),
  poison: options.poison ?? 0.005,
  flaky: 0.02,
  old: 0.01,
  foreign: 0.04,
  big: 0.005,
  // Each kind of event occurs, however short the run.
  first: fromSeed(options.seed)
    .fork(`first/${n}`)
    .shuffled([
      "plain",
      "plain",
      ...foreign,
      "flaky",
      "old",
      "throw",
      "hang",
      "reject",
      "bad-json",
      "wrong-schema",
      "bad-version",
      "deep"
    ]),
  work: 20,
  outbox: n === 0,
  ticks: n === 0
})

const subscriber = (
  options: RunOptions,
  namespace: string,
  name: string,
  groups: SubscriberOptions["groups"]
): Omit<SubscriberOptions, "url" | "redisUrl" | "journal" | "arm"> => ({
  role: "subscriber",
  name,
  seed: options.seed,
  namespace,
  groups
})

const operator = (
  options: RunOptions,
  namespace: string,
  name: string
): Omit<OperatorOptions, "url" | "redisUrl" | "journal" | "arm"> => ({
  role: "operator",
  name,
  seed: options.seed,
  namespace,
  subscribers: [keyed, ordered, plain, once, batched].map((group) => group.name)
})

const keyed = { name: "chaos.keyed", events: "step", ordering: "key", idempotent: false } as const
const plain = { name: "chaos.plain", events: "step", ordering: "none", idempotent: false } as const
const once = { name: "chaos.once", events: "step", ordering: "none", idempotent: true } as const
/** In three processes, with a window small enough that keys are parked. */
const ordered = { ...keyed, name: "chaos.ordered", idempotent: true, parks: true, prefetch: 16 } as const
const batched = { ...once, name: "chaos.batched", batch: { size: 10, maxWait: 50 }, concurrency: 2 } as const
const victim = { name: sacrifice, events: "tick", ordering: "none", idempotent: false } as const

export const run = async (brokers: Brokers, options: RunOptions): Promise<Judgement> => {
  const { namespace = "chaos", seconds, seed, print } = options
  await using deployment = openDeployment(brokers, namespace, seed)
  // Queues first: events that are published before reach no queue.
  for (const name of ["a1", "a2"]) await deployment.add(subscriber(options, namespace, name, [keyed, ordered]))
  await deployment.add(subscriber(options, namespace, "b1", [plain, once, ordered, batched, victim]))
  const steps = stepsOf(deployment, options)
  const has = (kind: FaultKind): boolean => steps.some(({ faults }) => faults.some((fault) => fault.kind === kind))
  if (has("killers"))
    for (const name of cast.mortals) await deployment.add(subscriber(options, namespace, name, mortals))
  if (has("deploy"))
    for (const name of cast.deployed)
      await deployment.add({ ...subscriber(options, namespace, name, deployed), release: firstRelease })
  await allReady(deployment)
  await deployment.node.flush()
  for (const n of [0, 1]) await deployment.add(publisher(options, namespace, n))
  await allReady(deployment)
  if (has("delivery-limit"))
    for (const name of cast.operators) {
      const worker = await deployment.add(operator(options, namespace, name))
      await allReady(deployment, [worker])
      // It looks during its fault.
      await worker.terminate()
    }
  print(`seed ${seed}: ${deployment.workers.length} processes are ready`)

  const started = now()
  await delay(2000)
  const lines = describePlan(steps)
  for (const [i, { faults, offset, pause }] of steps.entries()) {
    if (options.faults === undefined && now() - started > seconds * 1000) break
    print(`${((now() - started) / 1000).toFixed(1).padStart(6)} s  ${lines[i]}`)
    // Faults of Redis are judged alone: wait until everything else works.
    if (faults.some(({ kind }) => isRedis(kind))) await healthy(deployment)
    await Promise.all(
      faults.map(async (fault, n) => {
        if (n > 0) await delay(offset)
        await inject(deployment, fault)
      })
    )
    await delay(pause)
  }
  await delay(Math.max(0, seconds * 1000 - (now() - started)))
  // The subscriber of a deleted queue declares it again, which may take a moment.
  if (deployment.windows.some(({ kind }) => kind === "delete-queue")) {
    const last = Math.max(...deployment.windows.filter(({ kind }) => kind === "delete-queue").map(({ to }) => to))
    const goesOn = (): boolean =>
      deployment.read().some((entry) => entry.t === "done" && entry.g === sacrifice && entry.at > last)
    await until("the subscriber of the deleted queue goes on", goesOn).catch(() => undefined)
  }
  await goesOn(deployment)
  print(`${((now() - started) / 1000).toFixed(1).padStart(6)} s  the faults are over`)
  await endPublishing(deployment)
  const ended = await converge(deployment, options.convergeSeconds * 1000)
  const judgement = judgeRun(deployment, ended)
  const folder = options.keep ?? (judgement.violations.length > 0 ? options.evidence : undefined)
  if (folder !== undefined) {
    deployment.keep(folder)
    print(`the journals are in ${folder}`)
  }
  return judgement
}

/** What this machine can do of the plan. */
const stepsOf = ({ cluster, redis }: Deployment, { faults, print, seed }: RunOptions): ReadonlyArray<Planned> => {
  const canStep = redis.setClock !== undefined
  if (!canStep) print("the clock of Redis is not stepped: that needs an installed Redis and Debian's libfaketime")
  const possible = (steps: ReadonlyArray<Planned>): ReadonlyArray<Planned> =>
    steps.filter((step) => canStep || !step.faults.some(({ kind }) => kind === "redis-clock"))
  if (cluster === undefined || faults !== undefined) return possible(planOf(seed, cast, faults))
  const { cannotCut } = cluster
  if (cannotCut !== undefined) print(`no node is cut off: ${cannotCut}`)
  return possible(planOfCluster(seed, cast, cannotCut === undefined))
}

/** Waits until every publisher has had an event confirmed that it published from now on. */
const healthy = async (deployment: Deployment): Promise<void> => {
  const since = now()
  await until("both publishers publish", () => {
    const confirmed = deployment
      .read()
      .filter((entry) => entry.t === "outcome" && entry.outcome === "Confirmed" && entry.at - entry.ms > since)
    return cast.publishers.every((name) => confirmed.some(({ who }) => who === name))
  })
}
