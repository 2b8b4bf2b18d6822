/**
 * The delay before attempt n by a `Schedule`. No state is kept: the Schedule is stepped from attempt 1 each time,
 * with a clock that starts at the first failure and with Random seeded by event and subscriber. So every process
 * computes the same delay for the same attempt, and a retry never runs early.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Pull from "effect/Pull"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"

/** When to retry: a Schedule, or a function that chooses one by the error. */
export type RetryPolicy<E> = Schedule.Schedule<unknown, E> | ((error: E) => Schedule.Schedule<unknown, E>)

/** The default: five more attempts after 1, 2, 4, 8 and 16 seconds. */
export const defaultPolicy: Schedule.Schedule<unknown> = Schedule.exponential("1 second").pipe(
  Schedule.upTo({ times: 5 })
)

/** From this step on, an endless Schedule repeats its last delay. */
const lastStep = 1000

export interface Attempt<E> {
  /** Attempts so far, at least 1. */
  readonly attempt: number
  /** Milliseconds since the epoch. */
  readonly firstFailure: number
  readonly now: number
  readonly error: E
  /** The same seed gives the same jitter. */
  readonly seed: string
}

/** Milliseconds until the next attempt, or undefined when the Schedule is exhausted. */
export const delay = Effect.fnUntraced(
  function* <E>(policy: RetryPolicy<E>, attempt: Attempt<E>) {
    // A Schedule is an object, so a function can only be the other form.
    const schedule = typeof policy === "function" ? policy(attempt.error) : policy
    if (!Schedule.isSchedule(schedule)) return yield* Effect.die(new TypeError("`retry` returned no Schedule"))
    const step = yield* Schedule.toStep(schedule)
    const steps = Math.min(attempt.attempt, lastStep)
    let elapsed = 0
    let millis = 0
    for (let n = 1; n <= steps; n++) {
      const now = n === steps ? Math.max(attempt.now, attempt.firstFailure) : attempt.firstFailure + elapsed
      const next = yield* Pull.catchDone(step(now, attempt.error), () => Effect.undefined)
      if (next === undefined) return undefined
      millis = Duration.toMillis(next[1])
      elapsed += millis
    }
    return millis
  },
  (effect, _policy, { seed }) => Effect.provideService(effect, Random.Random, seeded(seed))
)

/** The numbers of `Random.withSeed`, seeded on first use: seeding is expensive, and most Schedules need no numbers. */
const seeded = (seed: string): typeof Random.Random.Service => {
  let made: typeof Random.Random.Service | undefined
  const random = () => (made ??= Effect.runSync(Random.withSeed(Effect.service(Random.Random), seed)))
  return {
    nextIntUnsafe: () => random().nextIntUnsafe(),
    nextDoubleUnsafe: () => random().nextDoubleUnsafe()
  }
}

/** The longest step among the first ones of a Schedule, in milliseconds; undefined when it depends on the error. */
export const longestStep = Effect.fnUntraced(
  function* (policy: RetryPolicy<never>) {
    if (typeof policy === "function") return undefined
    const step = yield* Schedule.toStep(policy)
    let elapsed = 0
    let longest = 0
    for (let n = 1; n <= 100; n++) {
      // No error exists yet. A Schedule that reads its input may throw here: its longest step is unknown.
      const next = yield* Pull.catchDone(step(elapsed, undefined as never), () => Effect.undefined)
      if (next === undefined) break
      longest = Math.max(longest, Duration.toMillis(next[1]))
      elapsed += Duration.toMillis(next[1])
    }
    return longest
  },
  Effect.catchCause(() => Effect.undefined)
)
