/**
 * A cache in trouble, by chance and the same for the same seed: it forgets what is written, does not
 * answer, or answers late. What it does to a publish or a delivery must be nothing (P4).
 */
import { Effect } from "effect"
import { CacheError, type CacheStore, CacheUnavailable } from "../bus/EventCache.ts"
import { generator } from "./Faults.ts"

export interface CacheFaultOptions {
  readonly seed: number
  /** How many of its calls go wrong, 0 to 1. */
  readonly rate: number
  /** How late an answer is at most, in milliseconds. Default 1,000. */
  readonly maxLateMillis?: number
}

/** The store, with faults. */
export const seeded = (store: CacheStore, { maxLateMillis = 1000, rate, seed }: CacheFaultOptions): CacheStore => {
  const random = generator(seed)
  const troubled = <A>(answer: Effect.Effect<A, CacheError>): Effect.Effect<A, CacheError> =>
    Effect.suspend(() => {
      if (random() >= rate) return answer
      return random() < 0.5 ? Effect.fail(silent) : Effect.delay(answer, Math.ceil(random() * maxLateMillis))
    })
  return {
    write: (entry) => {
      if (random() >= rate) store.write(entry)
    },
    last: (event, key) => troubled(store.last(event, key)),
    lastMany: (event, keys) => troubled(store.lastMany(event, keys)),
    history: (event, options) => troubled(store.history(event, options)),
    probe: Effect.succeed({ status: "degraded", detail: "in trouble" })
  }
}

const silent = new CacheError({ reason: new CacheUnavailable({ detail: "no answer" }) })
