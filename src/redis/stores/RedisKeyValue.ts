/**
 * Effect's `KeyValueStore` in Redis, for values without a time to live. Each value has a key of its own: a text is
 * stored after an `s`, bytes after a `b`. `size`, `keys` and `clear` scan the whole server.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Base64 from "effect/encoding/Base64"
import * as KeyValueStore from "effect/persistence/KeyValueStore"
import type { CacheError } from "../../bus/port/CacheError.ts"
import * as Keys from "../connection/Keys.ts"
import { RedisClient } from "../connection/RedisClient.ts"
import * as Scan from "../connection/Scan.ts"

const [text, bytes] = ["s", "b"] as const

export const make = (client: RedisClient["Service"]): KeyValueStore.KeyValueStore => {
  const names = Keys.make(client.prefix)
  const failed = (method: string) => (cause: CacheError) =>
    new KeyValueStore.KeyValueStoreError({ method, message: `Redis did not do it: ${cause.message}`, cause })
  const read = (method: string, key: string) =>
    Effect.map(
      Effect.mapError(
        client.use((redis) => redis.getBuffer(names.value(key))),
        failed(method)
      ),
      (found) =>
        found === null ? undefined : { isBytes: found.toString("latin1", 0, 1) === bytes, content: found.subarray(1) }
    )
  const keys = Effect.gen(function* () {
    // A scan may return a key twice.
    const found = new Set<string>()
    yield* Scan.scan(client, names.values, (some) =>
      Effect.sync(() => some.forEach((name) => found.add(names.keyOfValue(name))))
    )
    return [...found]
  })
  return KeyValueStore.make({
    get: (key) =>
      Effect.map(read("get", key), (found) =>
        found?.isBytes === true ? Base64.encode(found.content) : found?.content.toString("utf8")
      ),
    getUint8Array: (key) => Effect.map(read("getUint8Array", key), (found) => found && new Uint8Array(found.content)),
    set: (key, value) =>
      Effect.asVoid(
        Effect.mapError(
          client.use((redis) =>
            redis.set(
              names.value(key),
              typeof value === "string" ? `${text}${value}` : Buffer.concat([Buffer.from(bytes), value])
            )
          ),
          failed("set")
        )
      ),
    remove: (key) =>
      Effect.asVoid(
        Effect.mapError(
          client.use((redis) => redis.del(names.value(key))),
          failed("remove")
        )
      ),
    clear: Effect.mapError(Scan.clear(client, names.values), failed("clear")),
    size: Effect.mapError(
      Effect.map(keys, (all) => all.length),
      failed("size")
    ),
    keys: Effect.mapError(keys, failed("keys"))
  })
}

export const layer: Layer.Layer<KeyValueStore.KeyValueStore, never, RedisClient> = Layer.effect(
  KeyValueStore.KeyValueStore,
  Effect.map(RedisClient, make)
)
