/**
 * What breakers and rate limits do while their shared store is down: each process decides for itself, with a store
 * of its own.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"

/** Asks the shared store, or this process's own while the shared one fails with `isStoreError`. */
export const standIn =
  <Options, A, E, R>(
    shared: (options: Options) => Effect.Effect<A, E, R>,
    own: (options: Options) => Effect.Effect<A, E, R>,
    isStoreError: (error: E) => boolean
  ) =>
  (options: Options): Effect.Effect<A, E, R> =>
    Effect.catchIf(shared(options), isStoreError, () => own(options))

/** The first error of an exit, if it has one. */
export const errorOf = (exit: Exit.Exit<unknown, unknown>): unknown =>
  Exit.isFailure(exit) ? Option.getOrUndefined(Cause.findErrorOption(exit.cause)) : undefined
