/** Scans all keys of a pattern, on each master of a cluster, one step after the other. */
import * as Effect from "effect/Effect"
import { Cluster, type Redis } from "ioredis"
import type { CacheError } from "../../bus/port/CacheError.ts"
import type { RedisClient } from "./RedisClient.ts"

const step = 1_000

export const scan = Effect.fnUntraced(function* <E>(
  client: RedisClient["Service"],
  pattern: string,
  each: (keys: ReadonlyArray<string>) => Effect.Effect<void, E>
) {
  const nodes = yield* client.use(async (redis): Promise<ReadonlyArray<Redis>> =>
    redis instanceof Cluster ? redis.nodes("master") : [redis]
  )
  for (const node of nodes) {
    let cursor = "0"
    do {
      const [next, keys] = yield* client.use(() => node.scan(cursor, "MATCH", pattern, "COUNT", step))
      cursor = next
      if (keys.length > 0) yield* each(keys)
    } while (cursor !== "0")
  }
})

/** Removes all keys of a pattern. */
export const clear = (client: RedisClient["Service"], pattern: string): Effect.Effect<void, CacheError> =>
  scan(client, pattern, (keys) => Effect.asVoid(client.use((redis) => Promise.all(keys.map((key) => redis.del(key))))))
