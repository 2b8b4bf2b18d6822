/** What was done with dead letters, in numbers: how many, of which events, and why they were there. */
import type { DeadLetter } from "./DeadLetter.ts"

export interface Counts {
  /** Whether this is only what would be done. */
  readonly dryRun: boolean
  /** Looked at, and not selected. */
  readonly skipped: number
  /** How many of the letters that there were are still there. */
  readonly remaining: number
  /** The ones that were selected and done with, by event, by reason and by the tag of their error. */
  readonly events: Readonly<Record<string, number>>
  readonly reasons: Readonly<Record<string, number>>
  readonly errorTags: Readonly<Record<string, number>>
}

export interface Tally {
  /** So many letters are there; what was left of an earlier look is met again. */
  readonly begin: (found: number) => void
  readonly done: (letter: DeadLetter) => void
  readonly skip: () => void
  readonly doneSoFar: () => number
  readonly counts: () => Counts & { readonly done: number }
}

export const make = (dryRun: boolean): Tally => {
  const [events, reasons, errorTags] = [names(), names(), names()]
  let done = 0
  let skipped = 0
  let found = 0
  let before = 0
  return {
    begin: (count) => {
      found = count
      before = done
      skipped = 0
    },
    done: (letter) => {
      done++
      events.add(letter.eventType)
      reasons.add(letter.reason)
      errorTags.add(letter.error.tag)
    },
    skip: () => void skipped++,
    doneSoFar: () => done,
    counts: () => ({
      dryRun,
      done,
      skipped,
      remaining: Math.max(0, found - (dryRun ? 0 : done - before)),
      events: events.counts(),
      reasons: reasons.counts(),
      errorTags: errorTags.counts()
    })
  }
}

const keptNames = 100

/** Counts by name; the names are the letters', so those beyond the first hundred are one. */
const names = () => {
  const counts = new Map<string, number>()
  return {
    add: (name: string): void => {
      const known = counts.has(name) || counts.size < keptNames ? name : "(others)"
      counts.set(known, (counts.get(known) ?? 0) + 1)
    },
    counts: (): Readonly<Record<string, number>> => Object.fromEntries(counts)
  }
}
