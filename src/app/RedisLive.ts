/**
 * Redis for a service that has more to do with it than events: Effect's `Redis` and what Effect builds on it,
 * with the connection, the deadlines and the errors of the bus, in its namespace. ioredis is loaded when the
 * layer is built.
 */
import { type Config, type Duration, Effect, Layer, Redacted } from "effect"
import type { PersistedQueueFactory, PersistedQueueStore } from "effect/persistence/PersistedQueue"
import type { CircuitBreakerStore } from "effect/persistence/CircuitBreaker"
import type { KeyValueStore } from "effect/persistence/KeyValueStore"
import type { BackingPersistence, Persistence } from "effect/persistence/Persistence"
import type { RateLimiterStore } from "effect/persistence/RateLimiter"
import type { Redis } from "effect/persistence/Redis"
import type { BrokerError } from "../bus/BrokerError.ts"
import { redisConfig } from "./Config.ts"

export interface RedisLiveOptions {
  /** `redis://`, `redis+sentinel://` or `redis+cluster://`, with `rediss` over TLS. */
  readonly url: string | Redacted.Redacted<string>
  /** First part of every key. Default `"eduflow"`. */
  readonly namespace?: string
  /** Longest time of one command; reserved connections may block for longer. Default 150 ms. */
  readonly timeout?: Duration.Input
}

/** Effect's stores: in Redis, or in the process where there is none. */
export type Stores = BackingPersistence | Persistence | KeyValueStore | CircuitBreakerStore | RateLimiterStore

export type RedisServices = Stores | Redis | PersistedQueueFactory | PersistedQueueStore

/** One value, so that everything that is built with it shares its connection. */
export const redisClient = Effect.fnUntraced(function* ({ namespace, timeout, url }: RedisLiveOptions) {
  const redis = yield* Effect.promise(() => import("../redis/index.ts"))
  const client = redis.RedisClient.layer({
    url: Redacted.isRedacted(url) ? url : Redacted.make(url),
    ...(namespace !== undefined && { prefix: namespace }),
    ...(timeout !== undefined && { commandTimeout: timeout })
  })
  return { ...redis, client }
})

/**
 * Effect's stores on this Redis. It starts whether Redis is there or not; what is asked of it while it is not
 * fails within the timeout. Errors: `BrokerError` when an option cannot work.
 *
 * @example
 * ```ts
 * import { redisLive } from "@eduflow/events"
 * import { Effect } from "effect"
 * import { RateLimiter } from "effect/persistence"
 *
 * export const call = Effect.gen(function*() {
 *   const limiter = yield* RateLimiter.make
 *   yield* limiter.consume({ key: "sms", limit: 10, window: "1 second", onExceeded: "fail" })
 * }).pipe(Effect.provide(redisLive({ url: "redis://localhost" })))
 * ```
 */
export const redisLive = (options: RedisLiveOptions): Layer.Layer<RedisServices, BrokerError> =>
  Layer.unwrap(
    Effect.map(redisClient(options), ({ Stores, client }) =>
      Stores.queues.pipe(Layer.provideMerge(Stores.layer), Layer.provide(client))
    )
  )

/** By the environment: `EVENTBUS_REDIS_URL` and `EVENTBUS_NAMESPACE`. */
export const RedisLive: Layer.Layer<RedisServices, BrokerError | Config.ConfigError> = Layer.unwrap(
  Effect.map(redisConfig, redisLive)
)
