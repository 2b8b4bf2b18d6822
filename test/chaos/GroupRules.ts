/** Whether the promises were kept for one subscriber, by the journals of the processes and what the broker has in the end. */
import { createHash } from "node:crypto"
import { isPoison, diagnosis } from "./Events.ts"
import type { Group } from "./ProcessOptions.ts"
import { isClock, losesConnections, spoilsMarks } from "./Faults.ts"
import type { History, Published, Run } from "./History.ts"
import { ofBroker, type RawDeadLetter } from "./DeadLetterReader.ts"
import type { Window } from "./Deployment.ts"
import type { Death } from "./Worker.ts"

export type Rule =
  /** A confirmed event that was neither handled nor dead-lettered. */
  | "lost"
  /** An event that was never published. */
  | "ghost"
  /** An event whose publish failed with "nothing was sent". */
  | "refused but there"
  | "innocent dead letter"
  | "poison handled"
  | "wrong diagnosis"
  | "order"
  | "overlap"
  | "too many duplicates"
  | "applied twice"
  | "publish failed without Redis"
  | "bad end"
  | "noise"
  | "leak"
  | "left in a queue"
  | "quiet subscriber"
  | "quiet publisher"
  | "late refusal"
  | "growth"
  /** Nothing moved for longer than it may after one node of a cluster was lost. */
  | "standstill"
  /** A connection with consumers was ended by what the library does beside events. */
  | "line ended"
  /** A key waited for the claim of a process that was gone. */
  | "key waits"
  | "silent health"
  | "false alarm"
  | "not converged"

export interface Violation {
  readonly rule: Rule
  readonly group?: string
  readonly detail: string
  readonly ids: ReadonlyArray<string>
}

export interface GroupFigures {
  readonly group: string
  readonly confirmed: number
  readonly unknown: number
  readonly unknownHandled: number
  readonly refused: number
  readonly handled: number
  readonly runs: number
  readonly lost: number
  readonly ghosts: number
  readonly deadLetters: number
  readonly poison: number
  readonly innocents: number
  readonly orderViolations: number
  readonly overlaps: number
  readonly excusedOverlaps: number
  readonly duplicates: number
  readonly duplicateShare: number
  readonly redelivered: number
}

export interface Evidence {
  readonly history: History
  readonly windows: ReadonlyArray<Window>
  readonly deaths: ReadonlyArray<Death>
  readonly deadLetters: ReadonlyMap<string, ReadonlyArray<RawDeadLetter>>
}

/** The broker notices a lost connection within this time. */
const heartbeatsMillis = 3 * 2000 + 1000

export const judge = (
  group: Group,
  evidence: Evidence
): { readonly figures: GroupFigures; readonly violations: ReadonlyArray<Violation> } => {
  const { deadLetters, history } = evidence
  const violations: Array<Violation> = []
  const violated = (rule: Rule, ids: ReadonlyArray<string>, detail: string): void => {
    if (ids.length > 0) violations.push({ rule, group: group.name, detail: `${ids.length} ${detail}`, ids })
  }
  const published = [...history.published.values()].filter(({ flow }) => flow === group.events)
  const of = (fate: Published["fate"]): ReadonlyArray<Published> => published.filter((event) => event.fate === fate)
  const done = history.done(group.name)
  const letters = deadLetters.get(group.name) ?? []
  const dead = new Set(letters.map(({ event }) => event))
  const confirmed = of("Confirmed")

  const elsewhere = history.done(group.also ?? group.name)
  const lost = confirmed.filter(({ id }) => !done.has(id) && !dead.has(id) && !elsewhere.has(id)).map(({ id }) => id)
  violated("lost", lost, "confirmed events were neither handled nor dead-lettered")
  const ghosts = [...done, ...dead].filter((id) => !history.published.has(id))
  violated("ghost", ghosts, "events were never published")
  const refused = of("Refused").filter(({ id }) => done.has(id) || dead.has(id))
  violated(
    "refused but there",
    refused.map(({ id }) => id),
    "events arrived although their publish said that nothing was sent"
  )

  const isToxic = (id: string): boolean => {
    const event = history.published.get(id)
    return event !== undefined && isPoison(event.kind)
  }
  // A process that may not write copies leaves what it would try again to the broker.
  const isLeft = evidence.windows.some(({ kind }) => kind === "take-copies")
  const left = new Set(letters.filter(({ reason }) => isLeft && reason === ofBroker).map(({ event }) => event))
  const innocents = [...dead].filter((id) => !isToxic(id) && !left.has(id))
  const why = letters
    .filter(({ event }) => innocents.includes(event))
    .map(({ failures, reason }) => `${reason} ${failures}`)
  violated("innocent dead letter", innocents, `dead letters are not poison: ${why.slice(0, 3).join("; ")}`)
  violated("poison handled", [...done].filter(isToxic), "poison events were handled")
  for (const letter of letters) {
    const wrong = misdiagnosis(letter, group, history.published.get(letter.event), evidence.windows)
    if (wrong !== undefined)
      violations.push({
        rule: "wrong diagnosis",
        group: group.name,
        detail: `${letter.event}: ${wrong}`,
        ids: [letter.event]
      })
  }

  const runs = history.runs.get(group.name) ?? []
  const successes = runs.filter(({ how }) => how === "done")
  const disorder = group.ordering === "key" ? disordered(successes, history) : []
  violated("order", disorder, "events were handled after a later one of their key")
  const overlaps = group.ordering === "key" ? overlapping(runs, evidence) : { judged: [], excused: 0 }
  violated("overlap", overlaps.judged, "events were handled while an earlier one of their key was")

  const duplicates = successes.length - done.size
  const bound = duplicateBound(group, evidence)
  if (duplicates > bound)
    violations.push({
      rule: "too many duplicates",
      group: group.name,
      detail: `${duplicates}, at most ${bound} expected`,
      ids: []
    })
  if (group.idempotent) violated("applied twice", appliedTwice(group, successes, evidence), "events were applied twice")

  return {
    violations,
    figures: {
      group: group.name,
      confirmed: confirmed.length,
      unknown: of("Unknown").length,
      unknownHandled: of("Unknown").filter(({ id }) => done.has(id) || dead.has(id)).length,
      refused: of("Refused").length,
      handled: done.size,
      runs: runs.length,
      lost: lost.length,
      ghosts: ghosts.length,
      deadLetters: letters.length,
      poison: confirmed.filter(({ kind }) => isPoison(kind)).length,
      innocents: innocents.length,
      orderViolations: disorder.length,
      overlaps: overlaps.judged.length,
      excusedOverlaps: overlaps.excused,
      duplicates,
      duplicateShare: done.size === 0 ? 0 : duplicates / done.size,
      redelivered: runs.filter(({ redelivered }) => redelivered).length
    }
  }
}

const misdiagnosis = (
  letter: RawDeadLetter,
  group: Group,
  event: Published | undefined,
  windows: ReadonlyArray<Window>
): string | undefined => {
  // A ghost or an innocent dead letter is reported above.
  if (event === undefined || !isPoison(event.kind)) return undefined
  const { attempts, reason, tag } = diagnosis(event.kind)
  // The broker writes no diagnosis of ours.
  if (reason === "CrashLoop" && letter.reason === "delivery_limit") return undefined
  // Without the right to dead letters of its own, a process leaves the event to the broker.
  if (letter.reason === ofBroker && windows.some(({ kind }) => kind === "take-copies")) return undefined
  const sha = createHash("sha256").update(letter.body).digest("hex")
  if (letter.reason !== reason) return `reason ${letter.reason} instead of ${reason}`
  if (tag !== undefined && letter.tag !== tag) return `error ${letter.tag} instead of ${tag}`
  // A busy machine may miss the deadline of any attempt, which is one more where the first one was to be the last.
  const missed = attempts === 1 ? letter.timeouts : 0
  if (attempts !== undefined && (letter.attempts < attempts || letter.attempts > attempts + missed))
    return `${letter.attempts} attempts instead of ${attempts}`
  if (letter.subscriber !== group.name) return `subscriber ${letter.subscriber}`
  if (!event.shas.has(sha)) return "its bytes are not those that were published"
  const { firstFailure, host, lastFailure, library } = letter
  // Both are times of the wall clock, which may have been set back in between.
  const isStepped = windows.some(({ kind }) => isClock(kind))
  if (!(firstFailure <= lastFailure) && !isStepped) return "its last failure is before its first"
  return host === "" || library === "" ? "host or library is missing" : undefined
}

/** By the first success of each event; only confirmed events have a place in the order. */
const disordered = (successes: ReadonlyArray<Run>, history: History): ReadonlyArray<string> => {
  const latest = new Map<string, number>()
  const seen = new Set<string>()
  const late: Array<string> = []
  for (const { id, key, seq } of successes.toSorted((a, b) => a.end - b.end)) {
    if (seen.has(id) || history.published.get(id)?.fate !== "Confirmed") continue
    seen.add(id)
    const last = latest.get(key) ?? -1
    if (seq < last) late.push(id)
    latest.set(key, Math.max(last, seq))
  }
  return late
}

/**
 * Two runs of one key at once. The only excuse: a fault cut the connection of the earlier run before the later
 * one began, so the broker gave the event to another process and the first handler could not know.
 */
const overlapping = (
  runs: ReadonlyArray<Run>,
  { windows }: Evidence
): { readonly judged: ReadonlyArray<string>; readonly excused: number } => {
  const judged: Array<string> = []
  let excused = 0
  const open = new Map<string, Array<Run>>()
  for (const run of runs.toSorted((a, b) => a.start - b.start)) {
    const before = (open.get(run.key) ?? []).filter(({ end }) => end > run.start)
    for (const other of before) {
      const isLost = windows.some(
        ({ from, kind, targets, to }) =>
          losesConnections(kind) &&
          (targets.length === 0 || targets.includes(other.who)) &&
          from < run.start &&
          to + heartbeatsMillis > other.start
      )
      if (isLost) excused++
      else judged.push(run.id)
    }
    open.set(run.key, [...before, run])
  }
  return { judged, excused }
}

/** Events that are held or being published during a fault may arrive twice. */
const duplicateBound = ({ concurrency = 16, ordering, prefetch }: Group, { history, windows }: Evidence): number => {
  const held = prefetch ?? (ordering === "key" ? 250 : Math.max(2 * concurrency, 32))
  const keys = new Set([...history.published.values()].map(({ key }) => key)).size
  return windows.length * (held + keys)
}

/** A busy machine may need this long from the end of a handler to its done mark. */
const markMillis = 5000

/** One line of a log stands for all of this time. */
const logMillis = 10_000

/**
 * Excused when the process died between the handler and its done mark, when Redis was down or lost its data, or when it
 * was too slow for a process, which says so in its log, as it is on a busy machine.
 */
const appliedTwice = (
  group: Group,
  successes: ReadonlyArray<Run>,
  { deaths, history, windows }: Evidence
): ReadonlyArray<string> => {
  const unanswered = history.entries.filter(
    (entry) =>
      entry.t === "log" &&
      entry.message.startsWith("idempotency: the store does not answer") &&
      entry.fields["subscriber"] === group.name
  )
  const last = new Map<string, Run>()
  const twice: Array<string> = []
  for (const run of successes.toSorted((a, b) => a.end - b.end)) {
    const before = last.get(run.id)
    last.set(run.id, run)
    if (before === undefined) continue
    const died = deaths.some(
      ({ at, how, life, who }) =>
        how !== "SIGTERM" && who === before.who && life === before.life && at - before.end < markMillis
    )
    const forgotten = windows.some(
      ({ from, kind, to }) => spoilsMarks(kind) && from < run.start && to + 10_000 > before.start
    )
    const slow = unanswered.some(
      ({ at, who }) =>
        (who === before.who || who === run.who) && at > before.start && at < run.end + markMillis + logMillis
    )
    if (!died && !forgotten && !slow) twice.push(run.id)
  }
  return twice
}
