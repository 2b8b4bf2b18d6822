/**
 * Effect's stores on our client, in the namespace. Where a script needs several keys, they lie in one slot of a cluster.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as CircuitBreaker from "effect/persistence/CircuitBreaker"
import * as PersistedQueue from "effect/persistence/PersistedQueue"
import * as Persistence from "effect/persistence/Persistence"
import * as RateLimiter from "effect/persistence/RateLimiter"
import type * as Redis from "effect/persistence/Redis"
import * as EffectRedis from "./EffectRedis.ts"
import * as Keys from "../connection/Keys.ts"
import { RedisClient } from "../connection/RedisClient.ts"
import * as RedisKeyValue from "./RedisKeyValue.ts"
import * as RedisPersistence from "./RedisPersistence.ts"

const prefixOf = (name: Parameters<Keys.Keys["store"]>[0]) =>
  Effect.map(RedisClient, ({ prefix }) => ({ prefix: Keys.make(prefix).store(name) }))

/** The stores that a bus uses, and offers to its services. */
export const layer = Layer.mergeAll(
  Layer.provideMerge(Persistence.layer, RedisPersistence.layer),
  RedisKeyValue.layer,
  Layer.unwrap(Effect.map(prefixOf("breaker"), CircuitBreaker.layerStoreRedis)),
  Layer.unwrap(Effect.map(prefixOf("limit"), RateLimiter.layerStoreRedis))
).pipe(Layer.provideMerge(EffectRedis.layer))

/** Effect's queues poll Redis every 30 seconds, even when nobody uses one, so they are a layer of their own. */
export const queues: Layer.Layer<
  PersistedQueue.PersistedQueueStore | PersistedQueue.PersistedQueueFactory,
  never,
  Redis.Redis | RedisClient
> = Layer.provideMerge(
  PersistedQueue.layer,
  Layer.unwrap(Effect.map(prefixOf("queue"), PersistedQueue.layerStoreRedis))
)
