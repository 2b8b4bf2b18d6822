/** One run: processes, load, faults, the end, the verdict. */
import { setTimeout as delay } from "node:timers/promises"
import { chance } from "./Chance.ts"
import type { PublisherOptions, SubscriberOptions } from "./Contract.ts"
import { converge, endPublishing } from "./Ending.ts"
import { type FaultKind, inject, isRedis, sacrifice } from "./Faults.ts"
import { type Judgement, judgeRun } from "./Judgement.ts"
import { now } from "./Ledger.ts"
import { type Cast, describePlan, planOf } from "./Plan.ts"
import { allReady, type Brokers, openStage, type Stage, until } from "./Stage.ts"

export interface RunOptions {
  readonly seed: number
  /** Of load. */
  readonly seconds: number
  /** Events a second of each publisher. */
  readonly rate: number
  /** Longest time until everything promised is true. */
  readonly convergeSeconds: number
  /** These in this order, instead of a plan by chance. */
  readonly faults?: ReadonlyArray<FaultKind>
  /** Shares of the events. */
  readonly poison?: number
  readonly namespace?: string
  readonly tell: (line: string) => void
  /** Keeps the ledgers here. */
  readonly keep?: string
  /** Keeps them here when something is wrong. */
  readonly evidence?: string
}

const cast: Cast = { publishers: ["p0", "p1"], subscribers: ["a1", "a2", "b1"] }

const publisher = (
  options: RunOptions,
  namespace: string,
  n: number
): Omit<PublisherOptions, "url" | "redisUrl" | "ledger" | "arm"> => ({
  role: "publisher",
  name: `p${n}`,
  seed: options.seed,
  namespace,
  rate: options.rate,
  keys: Array.from({ length: 32 }, (_, i) => `p${n}-k${i}`),
  poison: options.poison ?? 0.005,
  flaky: 0.02,
  old: 0.01,
  big: 0.005,
  // Each kind of poison is there, however short the run.
  first: chance(options.seed)
    .fork(`first/${n}`)
    .shuffled([
      "plain",
      "plain",
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
): Omit<SubscriberOptions, "url" | "redisUrl" | "ledger" | "arm"> => ({
  role: "subscriber",
  name,
  seed: options.seed,
  namespace,
  groups
})

const keyed = { name: "chaos.keyed", events: "step", ordering: "key", idempotent: false } as const
const plain = { name: "chaos.plain", events: "step", ordering: "none", idempotent: false } as const
const once = { name: "chaos.once", events: "step", ordering: "none", idempotent: true } as const
/** In three processes: small enough a window that keys are parked. */
const ordered = { ...keyed, name: "chaos.ordered", idempotent: true, parks: true, prefetch: 16 } as const
const batched = { ...once, name: "chaos.batched", batch: { size: 10, within: 50 }, concurrency: 2 } as const
const victim = { name: sacrifice, events: "tick", ordering: "none", idempotent: false } as const

export const run = async (brokers: Brokers, options: RunOptions): Promise<Judgement> => {
  const { namespace = "chaos", seconds, seed, tell } = options
  await using stage = openStage(brokers, namespace, seed)
  // Queues first: what is published before is nobody's.
  for (const name of ["a1", "a2"]) await stage.add(subscriber(options, namespace, name, [keyed, ordered]))
  await stage.add(subscriber(options, namespace, "b1", [plain, once, ordered, batched, victim]))
  await allReady(stage)
  await stage.node.flush()
  for (const n of [0, 1]) await stage.add(publisher(options, namespace, n))
  await allReady(stage)
  tell(`seed ${seed}: ${stage.workers.length} processes are ready`)

  const started = now()
  await delay(2000)
  const steps = planOf(seed, cast, options.faults)
  const lines = describePlan(steps)
  for (const [i, { faults, offset, pause }] of steps.entries()) {
    if (options.faults === undefined && now() - started > seconds * 1000) break
    tell(`${((now() - started) / 1000).toFixed(1).padStart(6)} s  ${lines[i]}`)
    // What is judged is what begins when nothing else is wrong.
    if (faults.some(({ kind }) => isRedis(kind))) await healthy(stage)
    await Promise.all(
      faults.map(async (fault, n) => {
        if (n > 0) await delay(offset)
        await inject(stage, fault)
      })
    )
    await delay(pause)
  }
  await delay(Math.max(0, seconds * 1000 - (now() - started)))
  // A deleted queue is declared again by itself, which may take a moment.
  if (stage.windows.some(({ kind }) => kind === "delete-queue")) {
    const last = Math.max(...stage.windows.filter(({ kind }) => kind === "delete-queue").map(({ to }) => to))
    const goesOn = (): boolean =>
      stage.read().some((entry) => entry.t === "done" && entry.g === sacrifice && entry.at > last)
    await until("the subscriber of the deleted queue goes on", goesOn).catch(() => undefined)
  }
  tell(`${((now() - started) / 1000).toFixed(1).padStart(6)} s  the faults are over`)
  await endPublishing(stage)
  const ended = await converge(stage, options.convergeSeconds * 1000)
  const judgement = judgeRun(stage, ended)
  const folder = options.keep ?? (judgement.violations.length > 0 ? options.evidence : undefined)
  if (folder !== undefined) {
    stage.keep(folder)
    tell(`the ledgers are in ${folder}`)
  }
  return judgement
}

/** Every publisher has had an event confirmed since now. */
const healthy = async (stage: Stage): Promise<void> => {
  const since = now()
  await until(
    "both publishers publish",
    () => {
      const confirmed = stage
        .read()
        .filter((entry) => entry.t === "outcome" && entry.outcome === "Confirmed" && entry.at - entry.ms > since)
      return cast.publishers.every((name) => confirmed.some(({ who }) => who === name))
    },
    60_000
  )
}
