/** The history of a run, put together from the journals: each event, and the runs of its handlers in each group. */
import type { Kind } from "./Events.ts"
import type { Entry, Of } from "./Journal.ts"
import type { Flow } from "./ProcessOptions.ts"

/** Confirmed must arrive; Unknown may arrive; Refused must not. */
export type Fate = "Confirmed" | "Unknown" | "Refused"

export interface Published {
  readonly id: string
  readonly who: string
  readonly key: string
  readonly seq: number
  readonly kind: Kind
  readonly flow: Flow
  readonly at: number
  fate: Fate
  /** Hashes of the bytes that were sent, where they were recorded. */
  readonly shas: Set<string>
}

/** One run of a handler. `end` is when it ended, or its process did. */
export interface Run {
  readonly id: string
  readonly who: string
  readonly life: number
  readonly key: string
  readonly seq: number
  readonly attempt: number
  readonly redelivered: boolean
  readonly start: number
  end: number
  how: "done" | "fail" | "stop" | "cut off"
}

export interface History {
  readonly entries: ReadonlyArray<Entry>
  readonly published: ReadonlyMap<string, Published>
  readonly outcomes: ReadonlyArray<Of<"outcome">>
  readonly runs: ReadonlyMap<string, ReadonlyArray<Run>>
  /** The events that a group has handled at least once. */
  readonly done: (group: string) => ReadonlySet<string>
}

const beforeTheWire = new Set(["Invalid", "Denied", "Unavailable", "Overloaded", "Unroutable"])

export const historyOf = (
  unsorted: ReadonlyArray<Entry>,
  ends: ReadonlyArray<{ readonly who: string; readonly life: number; readonly at: number }>
): History => {
  const entries = unsorted.toSorted((a, b) => a.at - b.at)
  const published = new Map<string, Published>()
  const answers = new Map<string, Array<string>>()
  const attempts = new Map<string, number>()
  const outcomes: Array<Of<"outcome">> = []
  const runs = new Map<string, Array<Run>>()
  const running = new Map<string, Array<Run>>()
  for (const entry of entries) {
    switch (entry.t) {
      case "intent": {
        const { at, flow = "step", id, key, kind, seq, who } = entry
        published.set(id, { id, who, key, seq, kind, flow, at, fate: "Unknown", shas: new Set() })
        break
      }
      case "again":
        attempts.set(entry.id, (attempts.get(entry.id) ?? 1) + 1)
        break
      case "wire":
        published.get(entry.id)?.shas.add(entry.sha)
        break
      case "outcome": {
        outcomes.push(entry)
        answers.set(entry.id, [...(answers.get(entry.id) ?? []), entry.outcome])
        break
      }
      case "start": {
        const { at, attempt, g, id, key, life, redelivered, seq, who } = entry
        const run: Run = { id, who, life, key, seq, attempt, redelivered, start: at, end: Infinity, how: "cut off" }
        runs.set(g, runs.get(g) ?? [])
        runs.get(g)?.push(run)
        const open = `${g}/${who}/${life}/${id}`
        running.set(open, [...(running.get(open) ?? []), run])
        break
      }
      case "done":
      case "fail":
      case "stop": {
        // Of two runs at once in one process the journal does not say which one ended: take the older one.
        const run = running.get(`${entry.g}/${entry.who}/${entry.life}/${entry.id}`)?.shift()
        if (run === undefined) break
        run.end = entry.at
        run.how = entry.t
        break
      }
    }
  }
  for (const event of published.values()) {
    const ends = answers.get(event.id) ?? []
    if (ends.includes("Confirmed") || ends.includes("Known")) event.fate = "Confirmed"
    // A process may die during its last attempt, whose outcome nobody knows.
    else if (ends.length >= (attempts.get(event.id) ?? 1) && ends.every((outcome) => beforeTheWire.has(outcome)))
      event.fate = "Refused"
  }
  for (const list of runs.values()) {
    for (const run of list) {
      if (run.end !== Infinity) continue
      const death = ends.find(({ life, who }) => who === run.who && life === run.life)
      run.end = death?.at ?? Infinity
    }
  }
  const dones = new Map<string, ReadonlySet<string>>()
  return {
    entries,
    published,
    outcomes,
    runs,
    done: (group) => {
      const known = dones.get(group)
      if (known !== undefined) return known
      const found = new Set((runs.get(group) ?? []).filter(({ how }) => how === "done").map(({ id }) => id))
      dones.set(group, found)
      return found
    }
  }
}
