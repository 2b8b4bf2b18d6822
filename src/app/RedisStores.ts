/**
 * Redis for a service that needs it for more than events: Effect's `Redis` and the stores that Effect builds
 * on it, with the connection, timeouts and errors of the bus, in the namespace of the bus. ioredis is loaded
 * when the layer is built.
 */
import type * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { PersistedQueueFactory, PersistedQueueStore } from "effect/persistence/PersistedQueue"
import type { CircuitBreakerStore } from "effect/persistence/CircuitBreaker"
import type { KeyValueStore } from "effect/persistence/KeyValueStore"
import type { BackingPersistence, Persistence } from "effect/persistence/Persistence"
import type { RateLimiterStore } from "effect/persistence/RateLimiter"
import type { Redis } from "effect/persistence/Redis"
import type { BrokerError } from "../bus/port/BrokerError.ts"
import * as SettingsFault from "../bus/port/SettingsFault.ts"
import { redisKinds } from "./OptionKinds.ts"
import { redisClient } from "./RedisConnection.ts"
import type { RedisOptions } from "./RedisOptions.ts"

export type { RedisOptions as Options } from "./RedisOptions.ts"

/** Effect's stores, which every bus provides: in Redis, or in the process where there is no Redis. */
export type Stores = BackingPersistence | Persistence | KeyValueStore | CircuitBreakerStore | RateLimiterStore

/** Everything that `layer` provides. */
export type Services = Stores | Redis | PersistedQueueFactory | PersistedQueueStore

/**
 * Effect's stores on this Redis. The layer starts whether Redis is there or not; while Redis is away, each
 * command fails within the timeout. Fails with `BrokerError` when an option cannot work.
 *
 * @example
 * ```ts
 * import { RedisStores } from "@eduflow/events"
 * import { Effect } from "effect"
 * import { RateLimiter } from "effect/persistence"
 *
 * export const call = Effect.gen(function*() {
 *   const limiter = yield* RateLimiter.make
 *   yield* limiter.consume({ key: "sms", limit: 10, window: "1 second", onExceeded: "fail" })
 * }).pipe(Effect.provide(RedisStores.layer({ url: "redis://localhost" })))
 * ```
 */
export const layer = (options: RedisOptions): Layer.Layer<Services, BrokerError> =>
  Layer.unwrap(
    Effect.gen(function* () {
      const wrong = SettingsFault.of(options, redisKinds)
      if (wrong !== undefined) return yield* wrong
      const { Stores, client } = yield* redisClient(options)
      return Stores.queues.pipe(Layer.provideMerge(Stores.layer), Layer.provide(client))
    })
  )

/** `layer` with the settings `EVENTBUS_REDIS_URL` and `EVENTBUS_NAMESPACE` of the environment. */
export const layerConfig: Layer.Layer<Services, BrokerError | Config.ConfigError> = Layer.unwrap(
  Effect.flatMap(
    Effect.promise(() => import("./Config.ts")),
    ({ redisConfig }) => Effect.map(redisConfig, layer)
  )
)
