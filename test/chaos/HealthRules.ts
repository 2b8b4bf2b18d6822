/**
 * Whether health told the truth: a process in which nothing moves says within 20 seconds that it is down, and one in which
 * all moves does not say so.
 */
import { isForeign } from "./Events.ts"
import type { Violation } from "./GroupRules.ts"
import type { History } from "./History.ts"
import type { Entry, Of } from "./Journal.ts"
import type { Group } from "./ProcessOptions.ts"
import { type Quantiles, quantiles } from "./Statistics.ts"
import type { Worker } from "./Worker.ts"

/** Whose health is judged. */
export interface Watched {
  readonly groups: ReadonlyArray<Group>
  readonly workers: ReadonlyArray<Pick<Worker, "name" | "role" | "deaths">>
}

export interface HealthFigures {
  readonly samples: number
  /** Silences of more than 20 seconds while there was something to do. */
  readonly silences: number
  /** From the begin of such a silence to the first report of it. */
  readonly noticedMillis: Quantiles
  /** Reports of down in the midst of progress. */
  readonly falseAlarms: number
}

const limitMillis = 20_000
/** Samples are this far from each other, and a busy machine takes some more. */
const slackMillis = 5000
const steadyMillis = 1000

interface Life {
  readonly who: string
  readonly from: number
  readonly to: number
}

/** From when a process was ready to when it was asked to end, or did. */
const livesOf = ({ workers }: Watched, { entries }: History): ReadonlyArray<Life> =>
  workers.flatMap(({ deaths, name }) =>
    entries
      .filter((entry) => entry.t === "ready" && entry.who === name)
      .map((entry) => {
        const end = entries.find(
          ({ at, life, t, who }) => t === "term" && who === name && life === entry.life && at > entry.at
        )
        const death = deaths.find(({ life }) => life === entry.life)
        return { who: name, from: entry.at, to: Math.min(end?.at ?? Infinity, death?.at ?? Infinity) }
      })
  )

const within = (times: ReadonlyArray<number>, from: number, to: number): ReadonlyArray<number> =>
  times.filter((at) => at >= from && at <= to)

/** Something moved in each second around this moment. */
const isSteady = (times: ReadonlyArray<number>, at: number): boolean =>
  [-4, -3, -2, -1, 0].every((second) => {
    const from = at + second * steadyMillis
    return within(times, from, from + steadyMillis).length > 0
  })

/** A connection that is lost and made again within a second is down in between. */
const isMomentary = ({ entries }: History, { at, who }: Of<"health">): boolean =>
  entries.some(
    (entry) =>
      entry.t === "log" &&
      entry.who === who &&
      entry.message === "connected to RabbitMQ again" &&
      entry.at >= at &&
      entry.at < at + steadyMillis
  )

export const judgeHealth = (
  watched: Watched,
  history: History
): { readonly figures: HealthFigures; readonly violations: ReadonlyArray<Violation> } => {
  const samples = history.entries.filter((entry): entry is Of<"health"> => entry.t === "health")
  const violations: Array<Violation> = []
  const noticed: Array<number> = []
  let count = 0
  let falseAlarms = 0
  const lives = livesOf(watched, history)
  for (const { from, to, who } of lives) {
    const own = samples.filter((sample) => sample.who === who && sample.at >= from && sample.at <= to)
    if (own.length === 0) continue
    const isPublisher = watched.workers.some(({ name, role }) => name === who && role === "publisher")
    const moves = movesOf(history, who, isPublisher)
    const times = moves.map((list) => within(list, from, to))
    // A subscriber that cannot publish its copies is down, whatever it handles.
    const isAboutCopies = ({ detail }: Of<"health">): boolean => !isPublisher && /\bpublish \w+ down/.test(detail)
    const alarms = own
      .filter((sample) => sample.status === "down" && !isAboutCopies(sample))
      .filter((sample) => !isMomentary(history, sample))
      .filter(({ at }) => times.every((list) => isSteady(list, at)))
    falseAlarms += alarms.length
    const [alarm] = alarms
    if (alarm !== undefined)
      violations.push({
        rule: "false alarm",
        detail: `${who} said ${alarms.length} times that it was down while all moved: ${alarm.detail}`,
        ids: []
      })
  }
  for (const { begin, end, group, who } of silences(watched, history, limitMillis + slackMillis)) {
    // Health is written down on a cluster only.
    if (!samples.some((sample) => who.includes(sample.who))) continue
    count++
    const first = samples.find(
      (sample) =>
        who.includes(sample.who) &&
        sample.at > begin &&
        // The publisher of the silence may have said it as it ended.
        sample.at < (group === undefined ? end + slackMillis : end) &&
        sample.status === "down"
    )
    if (first !== undefined) noticed.push(first.at - begin)
    if (first === undefined || first.at - begin > limitMillis + slackMillis)
      violations.push({
        rule: "silent health",
        ...(group !== undefined && { group }),
        detail: `${group === undefined ? `${who.join()} published` : "handled"} nothing for ${Math.round(end - begin)} ms, and ${who.join()} said down ${first === undefined ? "never" : `after ${Math.round(first.at - begin)} ms`}`,
        ids: []
      })
  }
  return {
    violations,
    figures: { samples: samples.length, silences: count, noticedMillis: quantiles(noticed), falseAlarms }
  }
}

/** When each of the things moved that a process does: its publishes, or the handlers of each of its groups. */
const movesOf = (
  { outcomes, published, runs }: History,
  who: string,
  isPublisher: boolean
): ReadonlyArray<ReadonlyArray<number>> => {
  if (isPublisher)
    return [
      outcomes
        .filter(
          (entry) =>
            entry.who === who &&
            entry.outcome === "Confirmed" &&
            // These go over a connection of their own.
            !isForeign(published.get(entry.id)?.kind ?? "plain")
        )
        .map(({ at }) => at)
    ]
  const groups = [...runs.values()].map((list) => list.filter((run) => run.who === who && run.how === "done"))
  const busy = groups.filter((list) => list.length > 0)
  return busy.length === 0 ? [[]] : busy.map((list) => list.map(({ end }) => end))
}

/** A time without progress although there was something to do. */
export interface Silence {
  /** The publisher, or the processes of the group. */
  readonly who: ReadonlyArray<string>
  readonly group?: string
  readonly begin: number
  readonly end: number
}

/** All that last this long. */
export const silences = (watched: Watched, history: History, millis: number): ReadonlyArray<Silence> => [
  ...silentPublishers(watched, history, millis),
  ...silentGroups(watched, history, millis)
]

/**
 * A publisher always has something to publish, until it has published what it was asked for. Only the time counts in which
 * it waits for the library: events that it sends by hand keep it from publishing others, and health knows nothing of them.
 */
const silentPublishers = (watched: Watched, history: History, millis: number): ReadonlyArray<Silence> => {
  const { entries } = history
  const publishers = new Set(watched.workers.filter(({ role }) => role === "publisher").map(({ name }) => name))
  return livesOf(watched, history)
    .filter(({ who }) => publishers.has(who))
    .flatMap(({ from, to, who }) => {
      const own = entries.filter((entry) => entry.who === who && entry.at >= from && entry.at <= to)
      const last = own.findLast(({ t }) => t === "health")
      if (last === undefined) return []
      const finished = own.find(({ t }) => t === "finished")
      const [times = []] = movesOf(history, who, true)
      const end = Math.min(last.at, finished?.at ?? Infinity)
      const marks = [from, ...within(times, from, to), end].toSorted((a, b) => a - b)
      const waits = waitsOf(history, own, end)
      return marks.flatMap((end, i) => {
        const begin = marks[i - 1] ?? end
        return end - begin < millis || covered(waits, begin, end) < millis ? [] : [{ who: [who], begin, end }]
      })
    })
}

interface Wait {
  readonly from: number
  readonly to: number
}

/** From each attempt to publish by the library to its outcome, or to the end of what is known. */
const waitsOf = ({ published }: History, own: ReadonlyArray<Entry>, end: number): ReadonlyArray<Wait> => {
  const isOwn = (id: string): boolean => !isForeign(published.get(id)?.kind ?? "plain")
  const begun = new Map<string, number>()
  const waits: Array<Wait> = []
  for (const entry of own) {
    if (entry.t === "intent" || entry.t === "again") begun.set(entry.id, entry.at)
    if (entry.t !== "outcome") continue
    if (isOwn(entry.id)) waits.push({ from: begun.get(entry.id) ?? entry.at, to: entry.at })
    begun.delete(entry.id)
  }
  return [...waits, ...[...begun].filter(([id]) => isOwn(id)).map(([, from]) => ({ from, to: end }))]
}

/** For how long of this time at least one of them lasts. */
const covered = (waits: ReadonlyArray<Wait>, begin: number, end: number): number => {
  let millis = 0
  let last = begin
  for (const { from, to } of waits.toSorted((a, b) => a.from - b.from)) {
    const upTo = Math.min(to, end)
    if (upTo <= last) continue
    millis += upTo - Math.max(from, last)
    last = upTo
  }
  return millis
}

/** So many events wait in less than a second. Fewer may be retries that wait for their time. */
const someEvents = 20

/**
 * Groups that handled nothing although something waited. Their silence begins with their last success if an event was published
 * before it, and else as soon as some confirmed events waited.
 */
const silentGroups = (
  { groups, workers }: Watched,
  { outcomes, published, runs }: History,
  millis: number
): ReadonlyArray<Silence> => {
  const confirmed = outcomes.filter(({ outcome }) => outcome === "Confirmed").toSorted((a, b) => a.at - b.at)
  return groups
    .filter(({ events, ordering }) => events === "step" && ordering === "none")
    .flatMap(({ name }) => {
      const done = (runs.get(name) ?? []).filter(({ how }) => how === "done").toSorted((a, b) => a.end - b.end)
      const firstDone = new Map<string, number>()
      for (const { end, id } of done) if (!firstDone.has(id)) firstDone.set(id, end)
      const who = workers.filter((worker) => done.some((run) => run.who === worker.name)).map((worker) => worker.name)
      return done.flatMap(({ end }, i) => {
        const last = done[i - 1]?.end ?? end
        if (end - last < millis) return []
        const waiting = confirmed.filter(({ at, id }) => at < end && (firstDone.get(id) ?? 0) >= end)
        const isOld = waiting.some(({ id }) => (published.get(id)?.at ?? end) < last - steadyMillis)
        const begin = isOld ? last : Math.max(last, waiting[someEvents - 1]?.at ?? end)
        return end - begin < millis ? [] : [{ group: name, begin, end, who }]
      })
    })
}
