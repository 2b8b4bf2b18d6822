/**
 * Claims that nobody holds although they may stand in Redis: their answer was lost, or giving them up
 * failed. Each is given up when Redis answers again. Bounded: of the oldest that do not fit, and of
 * those that are left when the process ends, the lease ends by itself.
 */
import { Effect, Latch, Random } from "effect"

export interface Strays {
  readonly add: (key: string, claimant: string) => void
  /** The claimants of a key whose claims are nobody's. */
  readonly of: (key: string) => ReadonlyArray<string>
  readonly forget: (key: string, claimants: ReadonlyArray<string>) => void
}

const maxKeys = 10_000
/** Claimants of one key: as many as there were attempts while Redis hung. */
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
  const tidy = Effect.suspend(() => {
    const [oldest] = byKey
    if (oldest === undefined) return Effect.sync(() => some.closeUnsafe())
    const [key, claimants] = oldest
    return release(key, claimants).pipe(
      Effect.andThen(Effect.sync(() => forget(key, claimants))),
      // It is still away.
      Effect.catch(() => Effect.flatMap(Random.next, (random) => Effect.sleep(100 + 400 * random)))
    )
  })
  yield* Effect.forkScoped(Effect.forever(Effect.andThen(some.await, tidy)))

  const strays: Strays = {
    add: (key, claimant) => {
      byKey.set(key, [...(byKey.get(key) ?? []), claimant].slice(-maxClaimants))
      const [oldest] = byKey.keys()
      if (byKey.size > maxKeys && oldest !== undefined) byKey.delete(oldest)
      some.openUnsafe()
    },
    of: (key) => byKey.get(key) ?? [],
    forget
  }
  return strays
})
