/** What a replay or a discard did with dead letters, in numbers. */
import type { DeadLetter } from "./DeadLetter.ts"

export interface LetterCounts {
  /** Whether nothing was done, and the numbers say what would be. */
  readonly dryRun: boolean
  /** Letters that the filter did not select. */
  readonly skipped: number
  /** Letters of the queue that are still there. */
  readonly remaining: number
  /** The processed letters by event, by reason and by the tag of their error. */
  readonly events: Readonly<Record<string, number>>
  readonly reasons: Readonly<Record<string, number>>
  readonly errorTags: Readonly<Record<string, number>>
}

export class LetterCounter {
  private readonly dryRun: boolean
  private readonly progress: (done: number, found: number) => void
  private readonly events = new NameCounts()
  private readonly reasons = new NameCounts()
  private readonly errorTags = new NameCounts()
  private doneCount = 0
  private skipped = 0
  private found = 0
  private doneBefore = 0

  constructor(dryRun: boolean, progress: (done: number, found: number) => void) {
    this.dryRun = dryRun
    this.progress = progress
  }

  /** Begins a walk over this many letters. It meets the letters again that an earlier walk left. */
  begin(found: number): void {
    this.found = found
    this.doneBefore = this.doneCount
    this.skipped = 0
  }

  add({ error, eventType, reason }: DeadLetter): void {
    this.doneCount++
    this.events.add(eventType)
    this.reasons.add(reason)
    this.errorTags.add(error.tag)
    this.progress(this.doneCount - this.doneBefore, this.found)
  }

  skip(): void {
    this.skipped++
  }

  get done(): number {
    return this.doneCount
  }

  get remaining(): number {
    return Math.max(0, this.found - (this.dryRun ? 0 : this.doneCount - this.doneBefore))
  }

  counts(): LetterCounts {
    return {
      dryRun: this.dryRun,
      skipped: this.skipped,
      remaining: this.remaining,
      events: this.events.toRecord(),
      reasons: this.reasons.toRecord(),
      errorTags: this.errorTags.toRecord()
    }
  }
}

const keptNames = 100

/** Counts by name. The names come from the letters, so all beyond the first hundred share one count. */
class NameCounts {
  private readonly counts = new Map<string, number>()

  add(name: string): void {
    const known = this.counts.has(name) || this.counts.size < keptNames ? name : "(others)"
    this.counts.set(known, (this.counts.get(known) ?? 0) + 1)
  }

  toRecord(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.counts)
  }
}
