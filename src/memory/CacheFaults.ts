/**
 * A cache with faults by chance, the same for the same seed: it forgets a write, does not answer, or answers late. No
 * publish and no delivery may notice (P4: Redis never fails a publish).
 */
import * as Effect from "effect/Effect"
import { CacheError } from "../bus/port/CacheError.ts"
import { CacheUnavailable } from "../bus/port/CacheReason.ts"
import type { CacheStore } from "../bus/port/CacheStore.ts"
import * as SeededRandom from "../bus/support/SeededRandom.ts"

export interface CacheFaultOptions {
  readonly seed: number
  /** How many of its calls fail or are late, from 0 to 1. */
  readonly rate: number
  /** The longest delay of an answer, in milliseconds. Default 1,000. */
  readonly maxLateMillis?: number
}

/** The store, with faults. */
export const seeded = (
  store: CacheStore["Service"],
  { maxLateMillis = 1000, rate, seed }: CacheFaultOptions
): CacheStore["Service"] => {
  const random = SeededRandom.make(seed)
  const faulty = <A>(answer: Effect.Effect<A, CacheError>): Effect.Effect<A, CacheError> =>
    Effect.suspend(() => {
      if (random() >= rate) return answer
      return random() < 0.5 ? Effect.fail(silent) : Effect.delay(answer, Math.ceil(random() * maxLateMillis))
    })
  return {
    write: (entry) => {
      if (random() >= rate) store.write(entry)
    },
    last: (event, key) => faulty(store.last(event, key)),
    lastMany: (event, keys) => faulty(store.lastMany(event, keys)),
    history: (event, options) => faulty(store.history(event, options)),
    probe: Effect.succeed({ status: "degraded", detail: "faulty" })
  }
}

const silent = new CacheError({ reason: new CacheUnavailable({ detail: "no answer" }) })
