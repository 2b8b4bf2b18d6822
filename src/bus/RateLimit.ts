/**
 * Handles at most so many events in a time: for what a handler calls and must not be called more often.
 * Effect's RateLimiter counts; an event that it refuses was not attempted and stays first of those that
 * wait. With a `RateLimiterStore` in the context (Redis) the limit is for all processes together.
 */
import { Cause, Duration, Effect, Exit, Option } from "effect"
import * as RateLimiter from "effect/persistence/RateLimiter"

export interface RateLimitOptions {
  /** Events in each window. */
  readonly limit: number
  readonly window: Duration.Input
}

export interface RateLimit {
  /** Runs the handler, unless the limit is reached. */
  readonly guard: <A, E, R>(handler: Effect.Effect<A, E, R>) => Effect.Effect<A, unknown, R>
  /** Milliseconds until there is room again, when this exit says that nothing was attempted. */
  readonly refusal: (exit: Exit.Exit<unknown, unknown>) => number | undefined
}

export const make = Effect.fnUntraced(function* (key: string, options: RateLimitOptions) {
  const shared = yield* Effect.serviceOption(RateLimiter.RateLimiterStore)
  const limiter = yield* Option.isSome(shared)
    ? Effect.provideService(RateLimiter.make, RateLimiter.RateLimiterStore, shared.value)
    : Effect.provide(RateLimiter.make, RateLimiter.layerStoreMemory)
  const exceeded = (error: unknown): RateLimiter.RateLimitExceeded | undefined =>
    error instanceof RateLimiter.RateLimiterError && error.reason._tag === "RateLimitExceeded"
      ? error.reason
      : undefined
  const enter = limiter
    .consume({ ...options, key, algorithm: "token-bucket", onExceeded: "fail" })
    // A store that does not answer stops nobody (P4).
    .pipe(
      Effect.catchIf(
        (error) => exceeded(error) === undefined,
        () => Effect.void
      )
    )
  const made: RateLimit = {
    guard: (handler) => Effect.andThen(enter, handler),
    refusal: (exit) => {
      const error = Exit.isFailure(exit) ? Option.getOrUndefined(Cause.findErrorOption(exit.cause)) : undefined
      const reason = exceeded(error)
      return reason === undefined ? undefined : Math.max(1, Duration.toMillis(reason.retryAfter))
    }
  }
  return made
})
