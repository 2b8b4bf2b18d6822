/**
 * How long a connection that is lost waits before it is made again. Full jitter: the wait is anything
 * up to a bound that doubles from 0.2 to 15 seconds, so that the clients of a broker that restarts do
 * not come back in step; 15 seconds are what a publish waits by default. Each second that a connection
 * held takes back one doubling: one that is lost at once is no recovery, one that held for a while is.
 */

const firstMillis = 200
const longestMillis = 15_000
/** What waiting cannot heal. */
const seldomMillis = 30_000

export interface Backoff {
  /** Milliseconds to wait, after a life that was connected for `lived` (0 when it never was). */
  readonly next: (options: {
    readonly lived: number
    /** What waiting cannot heal is tried seldom from the first time on. */
    readonly isRetryable: boolean
    /** From 0 to 1. */
    readonly random: number
  }) => number
}

export const make = (): Backoff => {
  let inRow = 0
  return {
    next: ({ isRetryable, lived, random }) => {
      inRow = Math.max(0, inRow - Math.floor(lived / 1000))
      const bound = isRetryable ? Math.min(firstMillis * 2 ** inRow, longestMillis) : seldomMillis
      // Beyond the longest wait there is nothing to count.
      if (firstMillis * 2 ** inRow < longestMillis) inRow++
      return bound * random
    }
  }
}
