/**
 * The clock of a run. It stands still until the run moves it. Then sleepers wake in the order of their times,
 * and between two of them the event loop turns, so that the first one goes on before the second one wakes.
 */
import { type Clock, Duration, Effect } from "effect"

export interface SimClock extends Clock.Clock {
  /** Lets this many milliseconds pass. */
  readonly pass: (millis: number) => Effect.Effect<void>
  /** When the next sleeper wakes. */
  readonly next: () => number | undefined
}

interface Sleep {
  readonly at: number
  readonly wake: () => void
}

/** Lets the event loop turn this often. */
export const turns = (count: number): Effect.Effect<void> =>
  count === 0
    ? Effect.void
    : Effect.callback<void>((resume) => {
        let left = count
        const turn = (): void => {
          if (--left <= 0) resume(Effect.void)
          else setImmediate(turn)
        }
        setImmediate(turn)
      })

export const make = (between: () => number): SimClock => {
  let now = 0
  /** Sorted, the next one last; equal times wake in the order in which they fell asleep. */
  const sleeps: Array<Sleep> = []
  const nanos = (): bigint => BigInt(Math.floor(now * 1000)) * 1000n
  const add = (sleep: Sleep): void => {
    let low = 0
    let high = sleeps.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (sleeps[middle]!.at > sleep.at) low = middle + 1
      else high = middle
    }
    sleeps.splice(low, 0, sleep)
  }
  const clock: SimClock = {
    currentTimeMillisUnsafe: () => now,
    currentTimeMillis: Effect.sync(() => now),
    currentTimeNanosUnsafe: nanos,
    currentTimeNanos: Effect.sync(nanos),
    monotonicTimeNanosUnsafe: nanos,
    monotonicTimeNanos: Effect.sync(nanos),
    sleep: (duration) =>
      Effect.callback<void>((resume) => {
        // Whole milliseconds and at least one turn, like a timer.
        const millis = Duration.toMillis(duration)
        if (millis === Number.POSITIVE_INFINITY) return
        const sleep: Sleep = { at: now + Math.max(0, Math.ceil(millis)), wake: () => resume(Effect.void) }
        add(sleep)
        return Effect.sync(() => {
          const at = sleeps.indexOf(sleep)
          if (at >= 0) sleeps.splice(at, 1)
        })
      }),
    next: () => sleeps.at(-1)?.at,
    pass: (millis) =>
      Effect.suspend(() => {
        const end = now + millis
        return Effect.andThen(
          turns(between()),
          Effect.whileLoop({
            while: () => (sleeps.at(-1)?.at ?? Number.POSITIVE_INFINITY) <= end,
            body: () => {
              const sleep = sleeps.pop()
              if (sleep !== undefined) {
                now = Math.max(now, sleep.at)
                sleep.wake()
              }
              return turns(between())
            },
            step: () => {}
          })
        ).pipe(
          Effect.andThen(
            Effect.sync(() => {
              now = end
            })
          )
        )
      })
  }
  return clock
}
