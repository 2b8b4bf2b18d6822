/**
 * Receives the messages of one channel for as long as its scope is open. When the connection is lost it continues
 * with the next host; messages of the meantime are missed, as with every Redis subscription.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type { Redis } from "ioredis"
import * as Backoff from "../../bus/support/Backoff.ts"
import * as Connection from "./Connection.ts"
import { reasonOf, type RedisReason, unavailable } from "./RedisError.ts"

export interface ListenOptions {
  /** Makes a connection of its own, not connected yet; the next attempt may take another host. */
  readonly open: (attempt: number) => Redis
  readonly address: string
  readonly channel: string
  readonly onMessage: (message: string) => void
}

/** Longest wait for Redis to confirm a subscription, in milliseconds. */
const subscribeTimeout = 3_000
const backoff: Backoff.Backoff = { baseMillis: 50, capMillis: 2_000, jitter: "full", leastMillis: 20 }

/** Starts whether Redis is there or not. `listening` waits for the first subscription, or fails with why it failed. */
export const listen = Effect.fnUntraced(function* ({ address, channel, onMessage, open }: ListenOptions) {
  const first = yield* Deferred.make<void, RedisReason>()
  let attempt = 0
  let failures = 0

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
      Effect.timeoutOrElse({
        duration: subscribeTimeout,
        orElse: () => Effect.fail(unavailable(`${address} is silent`))
      })
    )
    failures = 0
    yield* Deferred.succeed(first, undefined)
    yield* Deferred.await(ended)
  })

  yield* Effect.scoped(session).pipe(
    Effect.catch((reason) => Deferred.fail(first, reason)),
    Effect.andThen(Effect.suspend(() => Backoff.wait(backoff, failures++))),
    Effect.forever,
    Effect.forkScoped
  )
  return { listening: Deferred.await(first) }
})
