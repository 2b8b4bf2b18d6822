/**
 * Effect's `BackingPersistence` in the memory of the process. Unlike Effect's own it also forgets expired values that
 * nobody reads: each `set` checks two more entries. Bounded: beyond 100,000 the values that were not set for the longest
 * time are forgotten.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Monotonic from "../observe/Monotonic.ts"
import * as Persistence from "effect/persistence/Persistence"

interface Held {
  readonly value: object
  readonly expires: number
}

const maxValues = 100_000

export const make: Effect.Effect<Persistence.BackingPersistence["Service"]> = Effect.map(Monotonic.make, (now) => {
  const held = new Map<string, Held>()
  let sweep = held.entries()

  const isOver = ({ expires }: Held): boolean => expires <= now()
  const tidy = (): void => {
    for (let n = 0; n < 2; n++) {
      const next = sweep.next()
      if (next.done === true) return void (sweep = held.entries())
      if (isOver(next.value[1])) held.delete(next.value[0])
    }
  }
  const find = (name: string): object | undefined => {
    const found = held.get(name)
    if (found === undefined) return undefined
    if (!isOver(found)) return found.value
    held.delete(name)
    return undefined
  }
  const put = (name: string, value: object, ttl: Duration.Duration | undefined): void => {
    const millis = ttl === undefined ? Number.POSITIVE_INFINITY : Duration.toMillis(ttl)
    held.delete(name)
    held.set(name, { value, expires: now() + millis })
    tidy()
    if (held.size <= maxValues) return
    const [oldest] = held.keys()
    if (oldest !== undefined) held.delete(oldest)
  }

  return Persistence.BackingPersistence.of({
    make: (storeId) => {
      const start = `${storeId.length}:${storeId}`
      return Effect.succeed<Persistence.BackingPersistenceStore>({
        get: (key) => Effect.sync(() => find(start + key)),
        getMany: ([first, ...more]) =>
          Effect.sync(() => [find(start + first), ...more.map((key) => find(start + key))]),
        set: (key, value, ttl) => Effect.sync(() => put(start + key, value, ttl)),
        setMany: (entries) => Effect.sync(() => entries.forEach(([key, value, ttl]) => put(start + key, value, ttl))),
        remove: (key) => Effect.sync(() => void held.delete(start + key)),
        clear: Effect.sync(() => {
          for (const name of held.keys()) if (name.startsWith(start)) held.delete(name)
        })
      })
    }
  })
})

export const layer: Layer.Layer<Persistence.BackingPersistence> = Layer.effect(Persistence.BackingPersistence, make)
