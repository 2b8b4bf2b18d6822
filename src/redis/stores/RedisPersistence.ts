/**
 * Effect's `BackingPersistence` in Redis: `Persistence`, `PersistedCache` and our own temporary state run on it. Each
 * value has a key of its own with its own time to live, so a store spreads over a whole cluster. Several values are
 * several commands in one turn: not one atomic step, but one round trip.
 *
 * Effect's own layer has no namespace, and puts several keys into one script, which a cluster refuses.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Persistence from "effect/persistence/Persistence"
import type { CacheError } from "../../bus/port/CacheError.ts"
import * as Keys from "../connection/Keys.ts"
import { RedisClient } from "../connection/RedisClient.ts"
import * as Scan from "../connection/Scan.ts"

/** Milliseconds from which a time to live is none: Redis refuses those that end after the year 292 million. */
const forever = 1e15

const failed = (what: string) => (cause: CacheError) =>
  new Persistence.PersistenceError({ message: `Redis did not ${what}`, cause })

export const make = (client: RedisClient["Service"]): Persistence.BackingPersistence["Service"] => {
  const keys = Keys.make(client.prefix)
  return Persistence.BackingPersistence.of({
    make: (storeId) => {
      const read = (names: ReadonlyArray<string>) =>
        Effect.mapError(
          client.use((redis) => Promise.all(names.map((name) => redis.get(keys.state(storeId, name))))),
          failed("answer")
        )
      const write = (entries: ReadonlyArray<readonly [string, object, Duration.Duration | undefined]>) =>
        Effect.mapError(
          client.use((redis) =>
            Promise.all(
              entries.map(([name, value, ttl]) => {
                const key = keys.state(storeId, name)
                const millis = ttl === undefined ? forever : Math.ceil(Duration.toMillis(ttl))
                const text = JSON.stringify(value)
                return millis < forever ? redis.set(key, text, "PX", Math.max(1, millis)) : redis.set(key, text)
              })
            )
          ),
          failed("take it")
        )
      return Effect.succeed<Persistence.BackingPersistenceStore>({
        get: (name) =>
          Effect.flatMap(read([name]), ([text = null]) => {
            const value = parse(text)
            return value === undefined && text !== null
              ? Effect.fail(
                  new Persistence.PersistenceError({ message: "what is there was not written by this library" })
                )
              : Effect.succeed(value)
          }),
        getMany: (names) => Effect.map(read(names), ([first = null, ...more]) => [parse(first), ...more.map(parse)]),
        set: (name, value, ttl) => Effect.asVoid(write([[name, value, ttl]])),
        setMany: (entries) => Effect.asVoid(write(entries)),
        remove: (name) =>
          Effect.asVoid(
            Effect.mapError(
              client.use((redis) => redis.del(keys.state(storeId, name))),
              failed("remove it")
            )
          ),
        clear: Effect.mapError(Scan.clear(client, keys.states(storeId)), failed("clear the store"))
      })
    }
  })
}

const parse = (text: string | null): object | undefined => {
  if (text === null) return undefined
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === "object" && value !== null ? value : undefined
  } catch {
    return undefined
  }
}

export const layer: Layer.Layer<Persistence.BackingPersistence, never, RedisClient> = Layer.effect(
  Persistence.BackingPersistence,
  Effect.map(RedisClient, make)
)
