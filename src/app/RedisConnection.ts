/**
 * Loads the Redis adapter and makes the layer of its client.
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { RedisOptions } from "./RedisOptions.ts"

/** The client is one value, so that everything that is built with it shares its connection. */
export const redisClient = Effect.fnUntraced(function* (
  { allowPlaintext, namespace, timeout, tls, url }: RedisOptions,
  stateNamespace?: string
) {
  const redis = yield* Effect.promise(() => import("../redis/index.ts"))
  const client = redis.RedisClient.layer({
    url: Redacted.isRedacted(url) ? url : Redacted.make(url),
    ...(allowPlaintext !== undefined && { allowPlaintext }),
    ...(tls !== undefined && { tls }),
    ...(namespace !== undefined && { prefix: namespace }),
    ...(stateNamespace !== undefined && { statePrefix: stateNamespace }),
    ...(timeout !== undefined && { commandTimeout: timeout })
  })
  return { ...redis, client }
})
