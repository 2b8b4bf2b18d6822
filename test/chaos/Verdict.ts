/** Whether the promises were kept, from what the processes wrote down and what the broker has in the end. */
import { createHash } from "node:crypto"
import { type Group, isPoison, sentence } from "./Contract.ts"
import { losesConnections, spoilsMarks } from "./Faults.ts"
import type { History, Published, Run } from "./History.ts"
import type { Letter } from "./Letters.ts"
import type { Window } from "./Stage.ts"
import type { Death } from "./Worker.ts"

export type Rule =
  /** A confirmed event that was neither handled nor dead-lettered. */
  | "lost"
  /** An event that nobody published. */
  | "ghost"
  /** An event whose publisher was told that nothing was sent. */
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
  | "growth"
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
  readonly deadLetters: ReadonlyMap<string, ReadonlyArray<Letter>>
}

/** A lost connection is noticed by the broker after so long. */
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
  const published = [...history.published.values()]
  const of = (fate: Published["fate"]): ReadonlyArray<Published> => published.filter((event) => event.fate === fate)
  const done = history.done(group.name)
  const letters = deadLetters.get(group.name) ?? []
  const dead = new Set(letters.map(({ eventId }) => eventId))
  const confirmed = of("Confirmed")

  const lost = confirmed.filter(({ id }) => !done.has(id) && !dead.has(id)).map(({ id }) => id)
  violated("lost", lost, "confirmed events were neither handled nor dead-lettered")
  const ghosts = [...done, ...dead].filter((id) => !history.published.has(id))
  violated("ghost", ghosts, "events were never published")
  const refused = of("Refused").filter(({ id }) => done.has(id) || dead.has(id))
  violated(
    "refused but there",
    refused.map(({ id }) => id),
    "events came although nothing was sent"
  )

  const isToxic = (id: string): boolean => {
    const event = history.published.get(id)
    return event !== undefined && isPoison(event.kind)
  }
  const innocents = [...dead].filter((id) => !isToxic(id))
  violated("innocent dead letter", innocents, "dead letters are no poison")
  violated("poison handled", [...done].filter(isToxic), "events were handled that cannot be")
  for (const letter of letters) {
    const wrong = misdiagnosis(letter, group, history.published.get(letter.eventId))
    if (wrong !== undefined)
      violations.push({
        rule: "wrong diagnosis",
        group: group.name,
        detail: `${letter.eventId}: ${wrong}`,
        ids: [letter.eventId]
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
  if (group.idempotent) violated("applied twice", appliedTwice(successes, evidence), "events were applied twice")

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

const misdiagnosis = (letter: Letter, group: Group, event: Published | undefined): string | undefined => {
  // A ghost or an innocent: told above.
  if (event === undefined || !isPoison(event.kind)) return undefined
  const { attempts, reason, tag } = sentence(event.kind)
  const sha = createHash("sha256").update(letter.body).digest("hex")
  if (letter.reason !== reason) return `reason ${letter.reason} instead of ${reason}`
  if (letter.tag !== tag) return `error ${letter.tag} instead of ${tag}`
  if (letter.attempts !== attempts) return `${letter.attempts} attempts instead of ${attempts}`
  if (letter.subscriber !== group.name) return `subscriber ${letter.subscriber}`
  if (!event.shas.has(sha)) return "its bytes are not those that were published"
  const { firstFailure, host, lastFailure, library } = letter
  if (!(firstFailure <= lastFailure)) return "its times make no sense"
  return host === "" || library === "" ? "it does not say by whom" : undefined
}

/** By the first success of each; only what was accepted has a place in the order. */
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
 * Two runs of one key at once. The one excuse is that the connection of the earlier one was lost, by a
 * fault that does that to its process, before the later one began: the broker gave the event away while
 * the first handler could not know.
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

/** Whatever is held when something happens may come twice, and so may what is being published then. */
const duplicateBound = ({ concurrency = 16, ordering, prefetch }: Group, { history, windows }: Evidence): number => {
  const held = prefetch ?? (ordering === "key" ? 250 : Math.max(2 * concurrency, 32))
  const keys = new Set([...history.published.values()].map(({ key }) => key)).size
  return windows.length * (held + keys)
}

/** Between the handler and its mark a process may die, and Redis may be away or forget. */
const appliedTwice = (successes: ReadonlyArray<Run>, { deaths, windows }: Evidence): ReadonlyArray<string> => {
  const last = new Map<string, Run>()
  const twice: Array<string> = []
  for (const run of successes.toSorted((a, b) => a.end - b.end)) {
    const before = last.get(run.id)
    last.set(run.id, run)
    if (before === undefined) continue
    const died = deaths.some(
      ({ at, how, life, who }) =>
        how !== "SIGTERM" && who === before.who && life === before.life && at - before.end < 500
    )
    const forgotten = windows.some(
      ({ from, kind, to }) => spoilsMarks(kind) && from < run.start && to + 10_000 > before.start
    )
    if (!died && !forgotten) twice.push(run.id)
  }
  return twice
}
