/**
 * Handles at most so many events in a time: for what a handler calls and must not be called more often.
 * Effect's RateLimiter counts; an event that it refuses was not attempted and stays first of those that
 * wait. With a `RateLimiterStore` in the context (Redis) the limit is for all processes together; without,
 * and while it does not answer, it is for each (P4).
 */
import { Cause, Context, Duration, Effect, Exit, Layer, Option } from "effect"
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

export type Store = RateLimiter.RateLimiterStore["Service"]

/** The store of the context. */
export const shared: Effect.Effect<Store | undefined> = Effect.map(
  Effect.serviceOption(RateLimiter.RateLimiterStore),
  Option.getOrUndefined
)

export const make = Effect.fnUntraced(function* (key: string, options: RateLimitOptions, fallback: Store | undefined) {
  const own = Context.get(yield* Layer.build(Layer.fresh(RateLimiter.layerStoreMemory)), RateLimiter.RateLimiterStore)
  const theirs = (yield* shared) ?? fallback
  const store = theirs === undefined ? own : withStandIn(theirs, own)
  const limiter = yield* Effect.provideService(RateLimiter.make, RateLimiter.RateLimiterStore, store)
  const exceeded = (error: unknown): RateLimiter.RateLimitExceeded | undefined =>
    error instanceof RateLimiter.RateLimiterError && error.reason._tag === "RateLimitExceeded"
      ? error.reason
      : undefined
  const enter = limiter.consume({ ...options, key, algorithm: "token-bucket", onExceeded: "fail" })
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

const withStandIn = (shared: Store, own: Store): Store => {
  const either =
    <Options, A>(
      theirs: (options: Options) => Effect.Effect<A, RateLimiter.RateLimiterError>,
      ours: (options: Options) => Effect.Effect<A, RateLimiter.RateLimiterError>
    ) =>
    (options: Options) =>
      Effect.catchIf(
        theirs(options),
        ({ reason }) => reason._tag === "RateLimitStoreError",
        () => ours(options)
      )
  return {
    fixedWindow: either(shared.fixedWindow, own.fixedWindow),
    tokenBucket: either(shared.tokenBucket, own.tokenBucket),
    adaptiveConsume: either(shared.adaptiveConsume, own.adaptiveConsume),
    adaptiveFeedback: either(shared.adaptiveFeedback, own.adaptiveFeedback)
  }
}
