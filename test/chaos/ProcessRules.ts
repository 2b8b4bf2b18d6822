/** What holds for the processes of a run: how they end, what they write, that they go on after a fault, that they do not grow. */
import type { Deployment, Window } from "./Deployment.ts"
import { isRights, losesConnections } from "./Faults.ts"
import type { Violation } from "./GroupRules.ts"
import type { History } from "./History.ts"
import type { Entry } from "./Journal.ts"
import { slope } from "./Statistics.ts"
import { type Death, terminationMillis } from "./Worker.ts"

/** A process that ended by itself may have been ended by an event that it handled. */
export const byKiller = (death: Death, entries: ReadonlyArray<Entry>): Death =>
  death.how === "by itself" &&
  entries.some(({ life, t, who }) => t === "killer" && who === death.who && life === death.life)
    ? { ...death, how: "killer" }
    : death

/**
 * After SIGTERM a process exits with 0 in time, and no process exits by itself. Except: a process that starts
 * while there is no broker fails.
 */
export const ends = (
  deaths: ReadonlyArray<Death>,
  { entries }: History,
  windows: ReadonlyArray<Window>
): ReadonlyArray<Violation> =>
  deaths.flatMap((death) => {
    const { code, how, life, ms, who } = death
    const bad =
      how === "by itself" && !hadNoBroker(death, entries, windows)
        ? `ended by itself: ${code}`
        : how === "SIGTERM" && (code !== "exit code 0" || ms > terminationMillis)
          ? `after SIGTERM: ${code} within ${Math.round(ms)} ms`
          : undefined
    return bad === undefined ? [] : [{ rule: "bad end" as const, detail: `${who}, life ${life}, ${bad}`, ids: [] }]
  })

/** It could not start. */
const hadNoBroker = (
  { at, code, life, who }: Death,
  entries: ReadonlyArray<Entry>,
  windows: ReadonlyArray<Window>
): boolean => {
  const own = entries.filter((entry) => entry.who === who && entry.life === life)
  const began = own[0]?.at ?? at
  return (
    code === "exit code 1" &&
    !own.some(({ t }) => t === "ready") &&
    windows.some(({ from, kind, to }) => losesConnections(kind) && from < at && to > began)
  )
}

/** What `runMain` writes when a service cannot start: the error, and the lines of its stack. */
const startFailure = /^\[[\d:.]+\] ERROR \(#\d+\): BrokerError: .*\n(?: +.*\n)*/gm

export const noises = (
  { windows, workers }: Deployment,
  deaths: ReadonlyArray<Death>,
  { entries }: History
): ReadonlyArray<Violation> =>
  workers.flatMap((worker) => {
    const couldNotStart = deaths.some((death) => death.who === worker.name && hadNoBroker(death, entries, windows))
    const noise = couldNotStart ? worker.noise().replace(startFailure, "").trim() : worker.noise()
    return noise === ""
      ? []
      : [{ rule: "noise" as const, detail: `${worker.name} wrote: ${noise.slice(0, 2000)}`, ids: [] }]
  })

/** A subscriber whose queue was deleted goes on by itself: it handles what is published after a while. */
export const quiet = ({ groups, windows }: Deployment, { runs }: History): ReadonlyArray<Violation> =>
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

/** A publisher that got a right back publishes again. */
export const quietPublishers = ({ windows }: Deployment, { outcomes }: History): ReadonlyArray<Violation> =>
  windows
    .filter(({ kind, targets }) => isRights(kind) && targets.some((name) => outcomes.some(({ who }) => who === name)))
    .filter(
      ({ targets, to }) =>
        !outcomes.some(({ at, ms, outcome, who }) => outcome === "Confirmed" && targets.includes(who) && at - ms > to)
    )
    .map(({ kind, targets }) => ({
      rule: "quiet publisher",
      detail: `${targets.join()} published nothing after ${kind}`,
      ids: []
    }))

/**
 * Without a right a publish is refused at once. A busy machine may need this long, and a publish has 20 seconds. One that
 * waited before, for a line that was lost, is counted from when the right was taken.
 */
const refusalMillis = 8000

export const lateRefusals = (
  { windows }: Pick<Deployment, "windows">,
  { outcomes }: History
): ReadonlyArray<Violation> => {
  const late = outcomes.filter(
    ({ at, ms, who }) =>
      ms > refusalMillis &&
      windows.some(
        ({ from, kind, targets, to }) =>
          isRights(kind) && targets.includes(who) && at - from > refusalMillis && at - ms < to
      )
  )
  return late.length === 0
    ? []
    : [
        {
          rule: "late refusal",
          detail: `${late.length} publishes without a right waited for their outcome, up to ${Math.round(Math.max(...late.map(({ ms }) => ms)))} ms`,
          ids: late.map(({ id }) => id)
        }
      ]
}

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

export const slopes = (entries: ReadonlyArray<Entry>): ReadonlyArray<number> =>
  livesOf(entries).flatMap((vitals) => {
    const last = vitals.slice(Math.floor((vitals.length * 2) / 3))
    return last.length < 6 ? [] : [slope(last.map(({ at, heap }) => [at / 60_000, heap / 1e6]))]
  })

/** What is left over by each event would be seen here: 20 MB a minute are less than 3 KB for each event of a common load. */
export const growth = (entries: ReadonlyArray<Entry>): ReadonlyArray<Violation> => {
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

/**
 * Events of which a second copy may arrive at any time: nobody knows the outcome of their publish, or the line was lost
 * before its confirm came and they were sent again.
 */
export const mayComeTwice = ({ outcomes, published }: History, windows: ReadonlyArray<Window>): ReadonlySet<string> => {
  const cuts = windows.filter(({ kind }) => losesConnections(kind))
  const isCut = ({ at, ms }: { readonly at: number; readonly ms: number }): boolean =>
    cuts.some(({ from, to }) => from < at && at - ms < to)
  return new Set([
    ...[...published.values()].flatMap(({ fate, id }) => (fate === "Unknown" ? [id] : [])),
    ...outcomes.flatMap((outcome) => (outcome.outcome === "Unknown" || isCut(outcome) ? [outcome.id] : []))
  ])
}
