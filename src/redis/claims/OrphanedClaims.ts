/**
 * Claims that may stand in Redis although nobody holds them: their answer was lost, or their release failed. Each is
 * released when Redis answers again. Bounded: the oldest that do not fit, and those that are left when the process
 * ends, expire with their lease.
 */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Random from "effect/Random"

export interface OrphanedClaims {
  readonly add: (key: string, claimant: string) => void
  /** The claimants whose claims of this key are orphaned. */
  readonly of: (key: string) => ReadonlyArray<string>
  readonly forget: (key: string, claimants: ReadonlyArray<string>) => void
}

const maxKeys = 10_000
/** Claimants of one key: one for each attempt while Redis hung. */
const maxClaimants = 16

/** Lives as long as the current scope. */
export const make = Effect.fnUntraced(function* (
  release: (key: string, claimants: ReadonlyArray<string>) => Effect.Effect<void, unknown>
) {
  const byKey = new Map<string, ReadonlyArray<string>>()
  const some = Latch.makeUnsafe(false)

  const forget = (key: string, claimants: ReadonlyArray<string>): void => {
    const left = byKey.get(key)?.filter((claimant) => !claimants.includes(claimant)) ?? []
    if (left.length === 0) byKey.delete(key)
    else byKey.set(key, left)
  }
  const releaseOldest = Effect.suspend(() => {
    const [oldest] = byKey
    if (oldest === undefined) return Effect.sync(() => some.closeUnsafe())
    const [key, claimants] = oldest
    return release(key, claimants).pipe(
      Effect.andThen(Effect.sync(() => forget(key, claimants))),
      // Redis is still away: between 100 and 500 ms until the next try.
      Effect.catch(() => Effect.flatMap(Random.next, (random) => Effect.sleep(100 + 400 * random)))
    )
  })
  yield* Effect.forkScoped(Effect.forever(Effect.andThen(some.await, releaseOldest)))

  const orphaned: OrphanedClaims = {
    add: (key, claimant) => {
      byKey.set(key, [...(byKey.get(key) ?? []), claimant].slice(-maxClaimants))
      const [oldest] = byKey.keys()
      if (byKey.size > maxKeys && oldest !== undefined) byKey.delete(oldest)
      some.openUnsafe()
    },
    of: (key) => byKey.get(key) ?? [],
    forget
  }
  return orphaned
})
