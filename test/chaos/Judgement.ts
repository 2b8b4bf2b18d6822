/** The verdict over a whole run: that of each group, and what concerns the processes and the broker. */
import { isRedis, losesConnections } from "./Faults.ts"
import { type History, historyOf } from "./History.ts"
import { type Ended } from "./Ending.ts"
import type { Entry } from "./Ledger.ts"
import { type Quantiles, quantiles, slope } from "./Statistics.ts"
import type { Stage, Window } from "./Stage.ts"
import { type GroupFigures, judge, type Violation } from "./Verdict.ts"
import { type Death, terminationMillis } from "./Worker.ts"

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
  /** Per kind of fault: how long it lasted, and the silence of the streams that it touched. */
  readonly recovery: Readonly<
    Record<
      string,
      { readonly faults: number; readonly lasted: Quantiles; readonly publish: Quantiles; readonly handle: Quantiles }
    >
  >
  readonly deaths: Readonly<Record<string, number>>
  readonly drainMillis: Quantiles
  readonly reconnects: number
  readonly megabytes: Quantiles
  /** Heap after a collection, megabytes a minute over the last third of each life long enough to tell. */
  readonly heapSlope: Quantiles
  readonly convergeMillis: number
  readonly queueDeletions: number
}

export interface Judgement {
  readonly figures: Figures
  readonly violations: ReadonlyArray<Violation>
  readonly windows: ReadonlyArray<Window>
}

export const judgeRun = (stage: Stage, ended: Ended): Judgement => {
  const { windows, workers } = stage
  const entries = stage.read()
  const deaths = workers.flatMap((worker) => worker.deaths)
  const history = historyOf(entries, deaths)
  const violations: Array<Violation> = [...ended.violations]
  const groups: Array<GroupFigures> = []
  for (const group of stage.groups.filter(({ events }) => events === "step")) {
    const verdict = judge(group, { history, windows, deaths, deadLetters: ended.letters })
    violations.push(...verdict.violations)
    groups.push(verdict.figures)
  }
  violations.push(
    ...ends(deaths, history, windows),
    ...noises(stage),
    ...quiet(stage, history),
    ...growth(history.entries)
  )

  const inRedisWindow = history.outcomes.filter(({ at, ms }) =>
    windows.some(
      ({ from, kind, to }) =>
        isRedis(kind) &&
        at - ms >= from &&
        at <= to &&
        !windows.some((other) => !isRedis(other.kind) && other.from < at && other.to > at - ms)
    )
  )
  const failed = inRedisWindow.filter(({ outcome }) => outcome !== "Confirmed" && outcome !== "Known")
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
      seed: stage.seed,
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
      recovery: recovery(windows, history),
      deaths: ways,
      drainMillis: quantiles(deaths.filter(({ how }) => how === "SIGTERM").map(({ ms }) => ms)),
      reconnects: Math.max(0, dials - first),
      megabytes: quantiles(entries.flatMap((entry) => (entry.t === "vitals" ? [entry.rss / 1e6] : []))),
      heapSlope: quantiles(slopes(history.entries)),
      convergeMillis: ended.convergeMillis,
      queueDeletions: windows.filter(({ kind }) => kind === "delete-queue").length
    }
  }
}

/**
 * SIGTERM ends with 0 in time, and nobody ends without being told to; but for who starts while there is no
 * broker, and fails.
 */
const ends = (
  deaths: ReadonlyArray<Death>,
  { entries }: History,
  windows: ReadonlyArray<Window>
): ReadonlyArray<Violation> =>
  deaths.flatMap(({ at, code, how, life, ms, who }) => {
    const own = entries.filter((entry) => entry.who === who && entry.life === life)
    const began = own[0]?.at ?? at
    const hadNoBroker =
      code === "exit code 1" &&
      !own.some(({ t }) => t === "ready") &&
      windows.some(({ from, kind, to }) => losesConnections(kind) && from < at && to > began)
    const bad =
      how === "by itself" && !hadNoBroker
        ? `ended by itself: ${code}`
        : how === "SIGTERM" && (code !== "exit code 0" || ms > terminationMillis)
          ? `after SIGTERM: ${code} within ${Math.round(ms)} ms`
          : undefined
    return bad === undefined ? [] : [{ rule: "bad end" as const, detail: `${who}, life ${life}, ${bad}`, ids: [] }]
  })

const noises = ({ workers }: Stage): ReadonlyArray<Violation> =>
  workers.flatMap((worker) => {
    const noise = worker.noise()
    return noise === ""
      ? []
      : [{ rule: "noise" as const, detail: `${worker.name} wrote: ${noise.slice(0, 2000)}`, ids: [] }]
  })

/** A subscriber whose queue was deleted goes on by itself: it handles what is published after a while. */
const quiet = ({ groups, windows }: Stage, { runs }: History): ReadonlyArray<Violation> =>
  groups
    .filter(({ events }) => events === "tick")
    .flatMap(({ name }) => {
      const handled = runs.get(name) ?? []
      const deaf = windows.filter(({ kind, to }) => kind === "delete-queue" && !handled.some(({ start }) => start > to))
      return deaf.length === 0
        ? []
        : [
            {
              rule: "quiet subscriber" as const,
              group: name,
              detail: "handled nothing after its queue was deleted",
              ids: []
            }
          ]
    })

const livesOf = (
  entries: ReadonlyArray<Entry>
): ReadonlyArray<ReadonlyArray<Extract<Entry, { readonly t: "vitals" }>>> => {
  const lives = new Map<string, Array<Extract<Entry, { readonly t: "vitals" }>>>()
  for (const entry of entries) {
    if (entry.t !== "vitals") continue
    const name = `${entry.who}/${entry.life}`
    lives.set(name, [...(lives.get(name) ?? []), entry])
  }
  return [...lives.values()]
}

const slopes = (entries: ReadonlyArray<Entry>): ReadonlyArray<number> =>
  livesOf(entries).flatMap((vitals) => {
    const last = vitals.slice(Math.floor((vitals.length * 2) / 3))
    return last.length < 6 ? [] : [slope(last.map(({ at, heap }) => [at / 60_000, heap / 1e6]))]
  })

/** What is left over by each event would be seen here: 20 MB a minute are less than 3 KB for each event of a common load. */
const growth = (entries: ReadonlyArray<Entry>): ReadonlyArray<Violation> => {
  const steep = slopes(entries).filter((value) => value > 20)
  const descriptors = livesOf(entries).filter((vitals) => (vitals.at(-1)?.fds ?? 0) > (vitals[1]?.fds ?? Infinity) + 50)
  return [
    ...steep.map((value) => ({
      rule: "growth" as const,
      detail: `the heap grows by ${value.toFixed(1)} MB a minute`,
      ids: []
    })),
    ...descriptors.map((vitals) => ({
      rule: "growth" as const,
      detail: `${vitals[0]?.who} has ${vitals.at(-1)?.fds} files open, ${vitals[1]?.fds} at its beginning`,
      ids: []
    }))
  ]
}

/** From the last success before the end of a fault to the first one after it, of whom it touched. */
const recovery = (windows: ReadonlyArray<Window>, { outcomes, runs }: History): Figures["recovery"] => {
  const confirmed = outcomes.filter(({ outcome }) => outcome === "Confirmed")
  const found: Record<string, { publish: Array<number>; handle: Array<number>; lasted: Array<number> }> = {}
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
    const entry = (found[kind] ??= { publish: [], handle: [], lasted: [] })
    entry.lasted.push(window.to - window.from)
    const publish = gap(
      confirmed.filter(({ who }) => isTouched(who)).map(({ at }) => at),
      window
    )
    if (publish !== undefined) entry.publish.push(publish)
    // A group goes on when any of its processes does: one of those that share a queue in order only stands by.
    for (const list of runs.values()) {
      if (!list.some(({ who }) => isTouched(who))) continue
      const handle = gap(
        list
          .filter(({ how }) => how === "done")
          .map(({ end }) => end)
          .toSorted((a, b) => a - b),
        window
      )
      if (handle !== undefined) entry.handle.push(handle)
    }
  }
  return Object.fromEntries(
    Object.entries(found).map(([kind, { handle, lasted, publish }]) => [
      kind,
      { faults: lasted.length, lasted: quantiles(lasted), publish: quantiles(publish), handle: quantiles(handle) }
    ])
  )
}
