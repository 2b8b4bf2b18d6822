/**
 * `ClaimStore` in the memory of the process: enough for one process, and gone with it. Bounded: beyond 100,000 the claims
 * and done marks that were not touched for the longest time are forgotten.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Monotonic from "../observe/Monotonic.ts"
import { type Claim, ClaimStore, type Subject } from "../bus/port/ClaimStore.ts"
import * as Identity from "../event/Identity.ts"

interface Held {
  /** Undefined for a done mark. */
  readonly claimant: string | undefined
  readonly fence: number
  readonly expires: number
  /** Of a done mark. */
  readonly digest: string | undefined
}

const maxClaims = 100_000

export const make: Effect.Effect<ClaimStore["Service"]> = Effect.map(Monotonic.make, (now) => {
  const held = new Map<string, Held>()
  let fences = 0
  const nameOf = (subject: Subject): string =>
    `${subject.subscriber.length}:${subject.subscriber}${Identity.textOf(subject)}`
  const find = (name: string): Held | undefined => {
    const found = held.get(name)
    return found !== undefined && found.expires > now() ? found : undefined
  }
  const put = (name: string, holder: Omit<Held, "expires">, millis: number): void => {
    held.delete(name)
    held.set(name, { ...holder, expires: now() + millis })
    if (held.size <= maxClaims) return
    const [oldest] = held.keys()
    if (oldest !== undefined) held.delete(oldest)
  }
  return {
    claim: (subject, claimant, leaseMillis) =>
      Effect.sync((): Claim => {
        const name = nameOf(subject)
        const found = find(name)
        if (found !== undefined && found.claimant !== claimant) {
          return found.claimant === undefined ? doneWith(found.digest) : { _tag: "Held", millis: found.expires - now() }
        }
        const fence = found?.fence ?? ++fences
        put(name, { claimant, fence, digest: undefined }, leaseMillis)
        return { _tag: "Claimed", fence }
      }),
    renew: (claims, leaseMillis) =>
      Effect.sync(() =>
        claims.map(({ claimant, fence, subject }) => {
          const name = nameOf(subject)
          const found = find(name)
          if (found !== undefined && found.claimant !== claimant) return false
          put(name, { claimant, fence, digest: undefined }, leaseMillis)
          return true
        })
      ),
    done: (subject, claimant, ttlMillis) =>
      Effect.sync(() => {
        const name = nameOf(subject)
        const found = find(name)
        if (found !== undefined && found.claimant !== claimant) return found.claimant === undefined
        put(name, { claimant: undefined, fence: found?.fence ?? 0, digest: subject.digest }, ttlMillis)
        return true
      }),
    release: (subject, claimant) =>
      Effect.sync(() => {
        const name = nameOf(subject)
        if (find(name)?.claimant === claimant) held.delete(name)
      })
  }
})

const doneWith = (digest: string | undefined): Claim =>
  digest === undefined ? { _tag: "Done" } : { _tag: "Done", digest }

export const layer: Layer.Layer<ClaimStore> = Layer.effect(ClaimStore, make)
