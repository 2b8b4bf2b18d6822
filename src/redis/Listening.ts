/**
 * Hears the messages of one channel for as long as the scope is open. When the connection is lost it goes
 * on with the next host; what is said meanwhile is missed, as with every Redis subscription.
 */
import { Deferred, Effect, Random } from "effect"
import type { Redis } from "ioredis"
import * as Connection from "./Connection.ts"
import { reasonOf, type RedisReason, unavailable } from "./RedisError.ts"

export interface Ear {
  /** A connection of its own, not connected yet; the next attempt may take another host. */
  readonly open: (attempt: number) => Redis
  readonly address: string
  readonly channel: string
  readonly onMessage: (message: string) => void
}

/** Longest time until Redis says that it listens to us. */
const patience = 3_000

/** Begins, whoever is away now. `hears` waits for the first time that it listens, or fails with why it does not. */
export const listen = Effect.fnUntraced(function* ({ address, channel, onMessage, open }: Ear) {
  const first = yield* Deferred.make<void, RedisReason>()
  let attempt = 0
  let away = 0

  const session = Effect.gen(function* () {
    const ended = Deferred.makeUnsafe<void>()
    let lastError: RedisReason | undefined
    const redis = yield* Effect.acquireRelease(
      Effect.sync(() => open(attempt++)),
      (redis) => Effect.sync(() => Connection.close(redis))
    )
    redis.on("error", (error: unknown) => void (lastError = reasonOf(error, address)))
    redis.on("message", (_: string, message: string) => onMessage(message))
    redis.on("end", () => Deferred.doneUnsafe(ended, Effect.void))
    yield* Effect.tryPromise({
      try: async () => {
        await redis.connect()
        await redis.subscribe(channel)
      },
      catch: (error) => lastError ?? reasonOf(error, address)
    }).pipe(
      Effect.timeoutOrElse({ duration: patience, orElse: () => Effect.fail(unavailable(`${address} is silent`)) })
    )
    away = 0
    yield* Deferred.succeed(first, undefined)
    yield* Deferred.await(ended)
  })

  yield* Effect.scoped(session).pipe(
    Effect.catch((reason) => Deferred.fail(first, reason)),
    Effect.andThen(Random.next),
    Effect.flatMap((random) => Effect.sleep(20 + Math.min(2_000, 50 * 2 ** away++) * random)),
    Effect.forever,
    Effect.forkScoped
  )
  return { hears: Deferred.await(first) }
})
