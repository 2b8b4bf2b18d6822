/**
 * Effect's `Redis` service over our client, with its breaker, its deadline and its errors. Through it the stores that
 * Effect builds on Redis (CircuitBreaker, RateLimiter, PersistedQueue) run on ioredis, on one server and on a cluster.
 *
 * Scripts are not loaded in advance: `SCRIPT LOAD` is answered here, and a node that does not know a script gets it with
 * the call. So it makes no difference which node of a cluster is asked, or whether one was restarted or took over.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redis from "effect/persistence/Redis"
import { createHash } from "node:crypto"
import * as Monotonic from "../../observe/Monotonic.ts"
import * as Connection from "../connection/Connection.ts"
import * as Demotion from "../connection/Demotion.ts"
import * as ChannelListener from "../connection/ChannelListener.ts"
import { RedisClient } from "../connection/RedisClient.ts"
import { failure, isConsequence, reasonOf, type RedisReason, unavailable } from "../connection/RedisError.ts"
import * as Scripts from "../connection/Scripts.ts"

/** Longest time to make a reserved connection, in milliseconds. */
const connectTimeout = 3_000

/** The cause is our error: that of ioredis carries arguments and passwords. */
const errorOf = (cause: unknown): Redis.RedisError => new Redis.RedisError({ cause })

/** Lives as long as the current scope. */
export const make = Effect.fnUntraced(function* (client: RedisClient["Service"], pool: Redis.PoolOptions = {}) {
  const { address, settings } = client
  const now = yield* Monotonic.make
  const scripts = new Map<string, string>()

  const run = async (redis: Connection.Commands, command: string, args: ReadonlyArray<string>): Promise<unknown> => {
    const name = command.toLowerCase()
    const [first = "", second, ...more] = args
    if (name === "script" && first.toLowerCase() === "load" && second !== undefined) {
      const sha = createHash("sha1").update(second).digest("hex")
      scripts.set(sha, second)
      return sha
    }
    const lua = name === "evalsha" ? scripts.get(first) : undefined
    if (lua === undefined) return redis.call(name, ...args)
    const count = Number(second)
    const call = { script: { sha: first, lua }, keys: more.slice(0, count), args: more.slice(count) }
    return Scripts.ask(redis, call)
  }
  const sendOn =
    (use: (commands: (redis: Connection.Commands) => Promise<unknown>) => Effect.Effect<unknown, Redis.RedisError>) =>
    <A = unknown>(command: string, ...args: ReadonlyArray<string>): Effect.Effect<A, Redis.RedisError> =>
      // The caller states the type of the answer, as with every such service.
      use((redis) => run(redis, command, args)) as Effect.Effect<A, Redis.RedisError>

  const connect = Effect.suspend(() => {
    const redis = Connection.open(settings, "reserved", Demotion.make(now))
    let lastError: RedisReason | undefined
    const failed = (error: unknown): void => {
      if (lastError === undefined || !isConsequence(error)) lastError = reasonOf(error, address)
    }
    redis.on("error", failed)
    redis.on("node error", failed)
    const close = Effect.sync(() => Connection.close(redis))
    const attempt = <A>(commands: (redis: Connection.Commands) => Promise<A>): Effect.Effect<A, Redis.RedisError> =>
      Effect.tryPromise({
        try: () => commands(redis),
        catch: (error) => errorOf(failure(lastError ?? reasonOf(error, address)))
      })
    return attempt((redis) => redis.connect()).pipe(
      Effect.timeoutOrElse({
        duration: connectTimeout,
        orElse: () => Effect.fail(errorOf(failure(unavailable(`${address} is silent`))))
      }),
      Effect.onError(() => close),
      Effect.as({ send: sendOn(attempt), close })
    )
  })

  return yield* Redis.make({
    send: sendOn((commands) => Effect.mapError(client.use(commands), errorOf)),
    connect,
    pool,
    subscribe: Effect.fnUntraced(function* (channel, onMessage) {
      const { listening } = yield* ChannelListener.listen({
        open: (attempt) => Connection.openListener(settings, attempt),
        address,
        channel,
        onMessage: (message) => onMessage({ channel, message })
      })
      yield* Effect.mapError(listening, (reason) => errorOf(failure(reason)))
      return Effect.never
    })
  })
})

export const layer: Layer.Layer<Redis.Redis, never, RedisClient> = Layer.effect(
  Redis.Redis,
  Effect.suspend(() => Effect.flatMap(RedisClient, (client) => make(client)))
)
