/**
 * Handles at most a given number of events in a time window, for handlers that call something which must not be
 * called more often. Effect's RateLimiter counts. An event that it refuses was not attempted and stays first in
 * line. With a `RateLimiterStore` in the context (Redis) all processes of a subscriber share the limit. Without
 * one, or while it does not respond, each process has the limit for itself.
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as RateLimiter from "effect/persistence/RateLimiter"
import type { RateLimitOptions } from "../subscriber/SubscriberOptions.ts"
import { errorOf, standIn } from "./StandIn.ts"

export interface RateLimit {
  /** Runs the handler, unless the limit is reached. */
  readonly guard: <A, E, R>(handler: Effect.Effect<A, E, R>) => Effect.Effect<A, unknown, R>
  /** When this exit means that nothing was attempted: the milliseconds until there is room again. */
  readonly refusal: (exit: Exit.Exit<unknown, unknown>) => number | undefined
}

export type Store = RateLimiter.RateLimiterStore["Service"]

/** The store of the context. */
export const shared: Effect.Effect<Store | undefined> = Effect.map(
  Effect.serviceOption(RateLimiter.RateLimiterStore),
  Option.getOrUndefined
)

/** The store of the context takes precedence over `busStore`. */
export const make = Effect.fnUntraced(function* (key: string, options: RateLimitOptions, busStore: Store | undefined) {
  const own = Context.get(yield* Layer.build(Layer.fresh(RateLimiter.layerStoreMemory)), RateLimiter.RateLimiterStore)
  const theirs = (yield* shared) ?? busStore
  const store = theirs === undefined ? own : withStandIn(theirs, own)
  const limiter = yield* Effect.provideService(RateLimiter.make, RateLimiter.RateLimiterStore, store)
  const consume = limiter.consume({ ...options, key, algorithm: "token-bucket", onExceeded: "fail" })
  const made: RateLimit = {
    guard: (handler) => Effect.andThen(consume, handler),
    refusal: (exit) => {
      const error = errorOf(exit)
      return error instanceof RateLimiter.RateLimiterError && error.reason._tag === "RateLimitExceeded"
        ? Math.max(1, Duration.toMillis(error.reason.retryAfter))
        : undefined
    }
  }
  return made
})

const withStandIn = (theirs: Store, own: Store): Store => ({
  fixedWindow: standIn(theirs.fixedWindow, own.fixedWindow, isStoreError),
  tokenBucket: standIn(theirs.tokenBucket, own.tokenBucket, isStoreError),
  adaptiveConsume: standIn(theirs.adaptiveConsume, own.adaptiveConsume, isStoreError),
  adaptiveFeedback: standIn(theirs.adaptiveFeedback, own.adaptiveFeedback, isStoreError)
})

const isStoreError = ({ reason }: RateLimiter.RateLimiterError): boolean => reason._tag === "RateLimitStoreError"
