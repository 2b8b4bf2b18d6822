/**
 * Which letters a replay takes, with the guard against letters that were replayed too often, what it has done so far, and
 * its report.
 */
import type * as Duration from "effect/Duration"
import type { DeadLetter } from "./DeadLetter.ts"
import { LetterCounter, type LetterCounts } from "./LetterCounts.ts"
import type { CompiledFilter, LetterFilter } from "./LetterFilter.ts"

export interface ReplayOptions extends LetterFilter {
  /** Returns what would be replayed and sends nothing. */
  readonly dryRun?: boolean
  /** Events per second. Default: as fast as the broker confirms. */
  readonly rate?: number
  /** Replays letters without a valid signature, too, where one is required: as new events, without their history. */
  readonly unsigned?: boolean
  /** Letters that were replayed this often stay where they are. Default 3; `Infinity` for no limit. */
  readonly maxReplays?: number
  /**
   * Events that expire may be handled until this long after their replay. Without it what has expired is refused: it would
   * become a dead letter again. Events that never expire stay as they are.
   */
  readonly expiresAfter?: Duration.Input
}

/** What a replay did; in a dry run, what it would do. */
export interface ReplayReport extends LetterCounts {
  /** Identifies this replay, also in the events that it sent and in letters that come back. */
  readonly replayId: string
  readonly replayed: number
  /** Left in the queue because they were replayed `maxReplays` times already. */
  readonly guarded: number
  /** Left in the queue because they cannot be sent. */
  readonly refused: number
  /** Why letters cannot be sent, for the first ten. */
  readonly refusals: ReadonlyArray<string>
}

const keptRefusals = 10

const unsigned =
  "it has no valid signature, so anybody may have written it: look at it, then replay it with { unsigned: true } or discard it"

export class ReplayState {
  readonly replayId: string
  readonly filter: CompiledFilter
  private readonly maxReplays: number
  private readonly isUnsignedSent: boolean
  private readonly counter: LetterCounter
  private guarded = 0
  private refused = 0
  private refusals: Array<string> = []

  constructor(
    replayId: string,
    filter: CompiledFilter,
    { dryRun = false, maxReplays = 3, unsigned = false }: ReplayOptions,
    progress: (done: number, found: number) => void
  ) {
    this.replayId = replayId
    this.filter = filter
    this.maxReplays = maxReplays
    this.isUnsignedSent = unsigned
    this.counter = new LetterCounter(dryRun, progress)
  }

  /** Begins a walk over this many letters. */
  begin(found: number): void {
    this.counter.begin(found)
    this.guarded = 0
    this.refused = 0
    this.refusals = []
  }

  /** Whether to replay a letter. Counts it if not. */
  selects(letter: DeadLetter): boolean {
    // This replay sent it, and it has failed again: a replay must not chase its own letters.
    if (letter.replayId === this.replayId) return false
    if (!this.filter.matches(letter)) this.counter.skip()
    else if (letter.signed === false && !this.isUnsignedSent) this.refuse(letter, unsigned)
    else if (letter.replays >= this.maxReplays) this.guarded++
    else return true
    return false
  }

  sent(letter: DeadLetter): void {
    this.counter.add(letter)
  }

  refuse(letter: DeadLetter, reason: string): void {
    this.refused++
    if (this.refusals.length < keptRefusals) this.refusals.push(`${letter.eventId}: ${reason}`)
  }

  get replayed(): number {
    return this.counter.done
  }

  get remaining(): number {
    return this.counter.remaining
  }

  report(): ReplayReport {
    const { guarded, refusals, refused, replayId, replayed } = this
    return { replayId, replayed, guarded, refused, refusals, ...this.counter.counts() }
  }
}
