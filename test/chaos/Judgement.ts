/** The judgement of a whole run: the rules of each group, and those of the processes and the broker. */
import { isRedis } from "./Faults.ts"
import { byKiller, ends, growth, lateRefusals, noises, quiet, quietPublishers, slopes } from "./ProcessRules.ts"
import { type History, historyOf } from "./History.ts"
import { type Converged, judgedGroups } from "./Convergence.ts"
import { type Quantiles, quantiles } from "./Statistics.ts"
import type { Deployment, Window } from "./Deployment.ts"
import { type HealthFigures, judgeHealth } from "./HealthRules.ts"
import { judgeProgress, type ProgressFigures } from "./ProgressRules.ts"
import { type GroupFigures, judge, type Violation } from "./GroupRules.ts"

/** Of a kind of fault: how long it lasted, and how long the streams that it touched were silent. */
interface Recovery {
  readonly faults: number
  readonly lasted: Quantiles
  readonly publish: Quantiles
  readonly handle: Quantiles
  /** Groups with order by key: one of their processes has all of their events. */
  readonly inOrder: Quantiles
}

export interface Figures {
  readonly seed: number
  readonly groups: ReadonlyArray<GroupFigures>
  readonly published: number
  readonly confirmed: number
  readonly outcomes: Readonly<Record<string, number>>
  readonly unknownShare: number
  readonly publishMillis: Quantiles
  readonly publishMillisRedisWindow: Quantiles
  readonly redisWindowPublishes: number
  readonly redisWindowFailures: number
  readonly recovery: Readonly<Record<string, Recovery>>
  readonly deaths: Readonly<Record<string, number>>
  readonly drainMillis: Quantiles
  readonly reconnects: number
  readonly megabytes: Quantiles
  /** Heap after a collection, megabytes a minute, over the last third of each life that is long enough. */
  readonly heapSlope: Quantiles
  readonly convergeMillis: number
  readonly queueDeletions: number
  readonly health: HealthFigures
  readonly progress: ProgressFigures
}

export interface Judgement {
  readonly figures: Figures
  readonly violations: ReadonlyArray<Violation>
  readonly windows: ReadonlyArray<Window>
}

export const judgeRun = (deployment: Deployment, ended: Converged): Judgement => {
  const { windows, workers } = deployment
  const entries = deployment.read()
  const deaths = workers.flatMap((worker) => worker.deaths).map((death) => byKiller(death, entries))
  const history = historyOf(entries, deaths)
  const violations: Array<Violation> = [...ended.violations]
  const groups: Array<GroupFigures> = []
  for (const group of judgedGroups(deployment)) {
    const judged = judge(group, { history, windows, deaths, deadLetters: ended.letters })
    violations.push(...judged.violations)
    groups.push(judged.figures)
  }
  violations.push(
    ...ends(deaths, history, windows),
    ...noises(deployment, deaths, history),
    ...quiet(deployment, history),
    ...quietPublishers(deployment, history),
    ...lateRefusals(deployment, history),
    ...growth(history.entries)
  )
  const health = judgeHealth(deployment, history)
  const progress = judgeProgress(deployment, history, windows)
  violations.push(...health.violations, ...progress.violations)

  const inRedisWindow = history.outcomes.filter(({ at, ms }) =>
    windows.some(
      ({ from, kind, to }) =>
        isRedis(kind) &&
        at - ms >= from &&
        at <= to &&
        !windows.some((other) => !isRedis(other.kind) && other.from < at && other.to > at - ms)
    )
  )
  // A right that was given back is believed after a while: Redis has no part in that.
  const fine = ["Confirmed", "Known", "Denied"]
  const failed = inRedisWindow.filter(({ outcome }) => !fine.includes(outcome))
  if (failed.length > 0) {
    const detail = `${failed.length} publishes: ${[...new Set(failed.map(({ detail = "", outcome }) => `${outcome} ${detail}`))].join("; ")}`
    violations.push({ rule: "publish failed without Redis", detail, ids: failed.map(({ id }) => id) })
  }

  const outcomes: Record<string, number> = {}
  for (const { outcome } of history.outcomes) outcomes[outcome] = (outcomes[outcome] ?? 0) + 1
  const published = [...history.published.values()]
  const confirmed = published.filter(({ fate }) => fate === "Confirmed").length
  const ways: Record<string, number> = {}
  for (const { how } of deaths) ways[how] = (ways[how] ?? 0) + 1
  const first = workers.reduce((sum, { deaths: ended }) => sum + ended.length * 2, 0)
  const dials = workers.reduce((sum, { amqp }) => sum + amqp.accepted(), 0)
  return {
    windows,
    violations,
    figures: {
      seed: deployment.seed,
      groups,
      published: published.length,
      confirmed,
      outcomes,
      unknownShare:
        published.length === 0 ? 0 : published.filter(({ fate }) => fate === "Unknown").length / published.length,
      publishMillis: quantiles(history.outcomes.map(({ ms }) => ms)),
      publishMillisRedisWindow: quantiles(inRedisWindow.map(({ ms }) => ms)),
      redisWindowPublishes: inRedisWindow.length,
      redisWindowFailures: failed.length,
      recovery: recovery(deployment, history),
      deaths: ways,
      drainMillis: quantiles(deaths.filter(({ how }) => how === "SIGTERM").map(({ ms }) => ms)),
      reconnects: Math.max(0, dials - first),
      megabytes: quantiles(entries.flatMap((entry) => (entry.t === "vitals" ? [entry.rss / 1e6] : []))),
      heapSlope: quantiles(slopes(history.entries)),
      convergeMillis: ended.convergeMillis,
      queueDeletions: windows.filter(({ kind }) => kind === "delete-queue").length,
      health: health.figures,
      progress: progress.figures
    }
  }
}

/** From the last success before the end of a fault to the first one after it, of whom it touched. */
const recovery = ({ groups, windows }: Deployment, { outcomes, runs }: History): Figures["recovery"] => {
  const keyed = new Set(groups.filter(({ ordering }) => ordering === "key").map(({ name }) => name))
  const confirmed = outcomes.filter(({ outcome }) => outcome === "Confirmed")
  const found: Record<string, Record<"publish" | "handle" | "inOrder" | "lasted", Array<number>>> = {}
  const gap = (times: ReadonlyArray<number>, { from, to }: Window): number | undefined => {
    let longest: number | undefined
    let last: number | undefined
    for (const time of times) {
      // The longest silence that touches the fault; what was lost by it may come back a little later.
      if (last !== undefined && time > from && last < to + 1000) longest = Math.max(longest ?? 0, time - last)
      last = time
    }
    return longest
  }
  for (const window of windows) {
    const { kind, targets } = window
    const isTouched = (who: string): boolean => targets.length === 0 || targets.includes(who)
    const entry = (found[kind] ??= { publish: [], handle: [], inOrder: [], lasted: [] })
    entry.lasted.push(window.to - window.from)
    const publish = gap(
      confirmed.filter(({ who }) => isTouched(who)).map(({ at }) => at),
      window
    )
    if (publish !== undefined) entry.publish.push(publish)
    // A group goes on when any of its processes does: one of those that share a queue in order only stands by.
    for (const [name, list] of runs) {
      if (!list.some(({ who }) => isTouched(who))) continue
      const handle = gap(
        list
          .filter(({ how }) => how === "done")
          .map(({ end }) => end)
          .toSorted((a, b) => a - b),
        window
      )
      if (handle !== undefined) entry[keyed.has(name) ? "inOrder" : "handle"].push(handle)
    }
  }
  return Object.fromEntries(
    Object.entries(found).map(([kind, { handle, inOrder, lasted, publish }]) => [
      kind,
      {
        faults: lasted.length,
        lasted: quantiles(lasted),
        publish: quantiles(publish),
        handle: quantiles(handle),
        inOrder: quantiles(inOrder)
      }
    ])
  )
}
