/**
 * `Marks` in the memory of the process: enough for one process, and gone with it. Bounded: beyond 100,000
 * the marks that were not touched for the longest time are forgotten.
 */
import { Clock, Effect, Layer } from "effect"
import { type Claim, Marks, type MarkStore, type Subject } from "../bus/Marks.ts"

interface Held {
  /** Undefined when it is done. */
  readonly claimant: string | undefined
  readonly fence: number
  readonly expires: number
}

const maxMarks = 100_000

export const make: Effect.Effect<MarkStore> = Effect.map(Clock.Clock, (clock) => {
  const held = new Map<string, Held>()
  let fences = 0
  const nameOf = ({ id, subscriber }: Subject): string => `${subscriber.length}:${subscriber}${id}`
  const find = (name: string): Held | undefined => {
    const found = held.get(name)
    return found !== undefined && found.expires > clock.currentTimeMillisUnsafe() ? found : undefined
  }
  const put = (name: string, claimant: string | undefined, fence: number, millis: number): void => {
    held.delete(name)
    held.set(name, { claimant, fence, expires: clock.currentTimeMillisUnsafe() + millis })
    if (held.size <= maxMarks) return
    const [oldest] = held.keys()
    if (oldest !== undefined) held.delete(oldest)
  }
  return {
    claim: (subject, claimant, leaseMillis) =>
      Effect.sync((): Claim => {
        const name = nameOf(subject)
        const found = find(name)
        if (found !== undefined && found.claimant !== claimant) {
          return found.claimant === undefined
            ? { _tag: "Done" }
            : { _tag: "Held", millis: found.expires - clock.currentTimeMillisUnsafe() }
        }
        const fence = found?.fence ?? ++fences
        put(name, claimant, fence, leaseMillis)
        return { _tag: "Claimed", fence }
      }),
    done: (subject, claimant, ttlMillis) =>
      Effect.sync(() => {
        const name = nameOf(subject)
        const found = find(name)
        if (found !== undefined && found.claimant !== claimant) return found.claimant === undefined
        put(name, undefined, found?.fence ?? 0, ttlMillis)
        return true
      }),
    release: (subject, claimant) =>
      Effect.sync(() => {
        const name = nameOf(subject)
        if (find(name)?.claimant === claimant) held.delete(name)
      })
  }
})

export const layer: Layer.Layer<Marks> = Layer.effect(Marks, make)
