/**
 * The delay of attempt n of a `Schedule`. State is derived, not kept: the Schedule is stepped from
 * attempt 1 each time, against a clock that starts at the first failure, with Random seeded by event
 * and subscriber, so that any process computes the same delay for the same attempt (P7).
 */
import { Duration, Effect, Pull, Random, Schedule } from "effect"

/** When to try again: a Schedule, or one chosen by the error. */
export type RetryPolicy<E> = Schedule.Schedule<unknown, E> | ((error: E) => Schedule.Schedule<unknown, E>)

/** What a subscriber does that does not say: five more attempts after 1, 2, 4, 8 and 16 seconds. */
export const defaultPolicy: Schedule.Schedule<unknown> = Schedule.exponential("1 second").pipe(
  Schedule.upTo({ times: 5 })
)

/** From here on a Schedule without end repeats its last delay. */
const lastStep = 1000

export interface Attempt<E> {
  /** Attempts made so far; at least 1. */
  readonly attempt: number
  /** Milliseconds since the epoch. */
  readonly firstFailure: number
  readonly now: number
  readonly error: E
  /** Same seed, same jitter. */
  readonly seed: string
}

/** Milliseconds until the next attempt, or undefined when the Schedule is exhausted. */
export const delay = Effect.fnUntraced(
  function* <E>(policy: RetryPolicy<E>, attempt: Attempt<E>) {
    // A Schedule is an object, so only the other form is a function.
    const schedule = typeof policy === "function" ? policy(attempt.error) : policy
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

/** The numbers of `Random.withSeed`. Seeding costs more than all else here, and most Schedules ask for none. */
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
      // No error exists yet: a Schedule that looks at its input may fail here, which is the undefined below.
      const next = yield* Pull.catchDone(step(elapsed, undefined as never), () => Effect.undefined)
      if (next === undefined) break
      longest = Math.max(longest, Duration.toMillis(next[1]))
      elapsed += Duration.toMillis(next[1])
    }
    return longest
  },
  Effect.catchCause(() => Effect.undefined)
)
