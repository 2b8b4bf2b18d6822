/**
 * Effect's stores on our client, each within the namespace and with its keys in one slot of a cluster where a
 * script needs several of them.
 */
import { Effect, Layer } from "effect"
import * as CircuitBreaker from "effect/persistence/CircuitBreaker"
import * as PersistedQueue from "effect/persistence/PersistedQueue"
import * as Persistence from "effect/persistence/Persistence"
import * as RateLimiter from "effect/persistence/RateLimiter"
import type * as Redis from "effect/persistence/Redis"
import * as EffectRedis from "./EffectRedis.ts"
import * as Keys from "./Keys.ts"
import { RedisClient } from "./RedisClient.ts"
import * as RedisKeyValue from "./RedisKeyValue.ts"
import * as RedisPersistence from "./RedisPersistence.ts"

const prefixOf = (name: Parameters<Keys.Keys["store"]>[0]) =>
  Effect.map(RedisClient, ({ prefix }) => ({ prefix: Keys.make(prefix).store(name) }))

/** What a bus offers, and uses itself. */
export const layer = Layer.mergeAll(
  Layer.provideMerge(Persistence.layer, RedisPersistence.layer),
  RedisKeyValue.layer,
  Layer.unwrap(Effect.map(prefixOf("breaker"), CircuitBreaker.layerStoreRedis)),
  Layer.unwrap(Effect.map(prefixOf("limit"), RateLimiter.layerStoreRedis))
).pipe(Layer.provideMerge(EffectRedis.layer))

/** The queues of Effect ask Redis each 30 seconds, also when there is none: for who wants them. */
export const queues: Layer.Layer<
  PersistedQueue.PersistedQueueStore | PersistedQueue.PersistedQueueFactory,
  never,
  Redis.Redis | RedisClient
> = Layer.provideMerge(
  PersistedQueue.layer,
  Layer.unwrap(Effect.map(prefixOf("queue"), PersistedQueue.layerStoreRedis))
)
