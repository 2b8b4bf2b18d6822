/**
 * How long to wait before the next try. The delays of every backoff in this project are those of
 * `Schedule.exponential`: they double from a base up to a cap, and jitter keeps the processes of a fleet from
 * trying in step.
 *
 * A loop that never starts over uses `schedule`. Most loops here count their failures themselves, because a
 * success in between resets the count: they use `wait` or `delay` with that count, or a `Streak`.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import * as Monotonic from "../../observe/Monotonic.ts"

/**
 * Which part of the doubled delay is random:
 * - `"full"`: anything from 0 up to it
 * - `"equal"`: half of it, and anything up to the other half on top
 * - `"around"`: from three to five quarters of it
 */
export type Jitter = "full" | "equal" | "around"

export interface Backoff {
  /** The delay of attempt 0 before jitter; each further attempt doubles it. */
  readonly baseMillis: number
  /** No delay is longer than this before jitter. */
  readonly capMillis: number
  readonly jitter: Jitter
  /** Added to each delay, after jitter. Default 0. */
  readonly leastMillis?: number
}

/** The delay of this attempt before jitter. The first attempt is 0. */
export const boundMillis = ({ baseMillis, capMillis }: Backoff, attempt: number): number =>
  Math.min(baseMillis * 2 ** attempt, capMillis)

/** The delay of this attempt, for a random number from 0 to 1. */
export const millis = (backoff: Backoff, attempt: number, random: number): number =>
  jittered(backoff, boundMillis(backoff, attempt), random)

/** The delay of this attempt, with the random numbers of the fiber. */
export const delay = (backoff: Backoff, attempt: number): Effect.Effect<number> =>
  Effect.map(Random.next, (random) => millis(backoff, attempt, random))

/** Sleeps for the delay of this attempt. */
export const wait = (backoff: Backoff, attempt: number): Effect.Effect<void> =>
  Effect.flatMap(delay(backoff, attempt), (time) => Effect.sleep(time))

/** The same delays, for `Effect.retry` and `Effect.repeat`. */
export const schedule = (backoff: Backoff): Schedule.Schedule<Duration.Duration> =>
  Schedule.modifyDelay(Schedule.exponential(backoff.baseMillis), ({ duration }) =>
    Effect.map(Random.next, (random) =>
      Duration.millis(jittered(backoff, Math.min(Duration.toMillis(duration), backoff.capMillis), random))
    )
  )

const jittered = ({ jitter, leastMillis = 0 }: Backoff, bound: number, random: number): number => {
  switch (jitter) {
    case "full":
      return leastMillis + bound * random
    case "equal":
      return leastMillis + bound * (0.5 + random / 2)
    case "around":
      return leastMillis + bound * (0.75 + random / 2)
  }
}

const forgivenEveryMillis = 1000

/**
 * Counts the failures in a row of something that works for a while between two of them, such as a connection.
 * Each second that it worked takes back one doubling: a connection that is lost at once has not recovered.
 */
export class Streak {
  private readonly backoff: Backoff
  private failures = 0

  constructor(backoff: Backoff) {
    this.backoff = backoff
  }

  /** Counts a failure after this many milliseconds of work (0 when it never worked) and returns its attempt. */
  failedAfter(workedMillis: number): number {
    const attempt = Math.max(0, this.failures - Math.floor(workedMillis / forgivenEveryMillis))
    // Counting beyond the cap would only make it longer to forgive.
    this.failures = boundMillis(this.backoff, attempt) < this.backoff.capMillis ? attempt + 1 : attempt
    return attempt
  }
}

/** Runs again and again what ends by itself, such as a consumer. It never worked if it ends at once. */
export const restarting = <R>(backoff: Backoff, run: Effect.Effect<void, never, R>): Effect.Effect<never, never, R> =>
  Effect.gen(function* () {
    const now = yield* Monotonic.make
    const streak = new Streak(backoff)
    for (;;) {
      const began = now()
      yield* run
      yield* wait(backoff, streak.failedAfter(now() - began))
    }
  })
