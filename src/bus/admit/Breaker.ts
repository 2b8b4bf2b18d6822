/**
 * Stops a subscriber whose handlers fail in a row: a dependency is down, and going on would use up the attempts
 * of the whole backlog. Effect's CircuitBreaker decides. An event that it refuses was not attempted and stays
 * where it is, first in line.
 *
 * With a `CircuitBreakerStore` in the context (Redis) all processes of a subscriber stop together. Without one,
 * or while it does not respond, each process decides for itself.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as CircuitBreaker from "effect/persistence/CircuitBreaker"
import * as FailedAttempt from "../delivery/FailedAttempt.ts"
import type { BreakerOptions } from "../subscriber/SubscriberOptions.ts"
import { errorOf, standIn } from "./StandIn.ts"

export interface Breaker {
  /**
   * Runs the handler, unless the breaker is open. An interrupted handler has failed if `isOverdue` holds then;
   * otherwise its event was given back.
   */
  readonly guard: <A, E, R>(handler: Effect.Effect<A, E, R>, isOverdue: () => boolean) => Effect.Effect<A, unknown, R>
  /** When this exit means that nothing was attempted: the milliseconds until it makes sense to try again. */
  readonly refusal: (exit: Exit.Exit<unknown, unknown>) => number | undefined
}

/** How long to wait while another process probes. */
const probedMillis = 1000

export type Store = CircuitBreaker.CircuitBreakerStore["Service"]

/** The store of the context. */
export const shared: Effect.Effect<Store | undefined> = Effect.map(
  Effect.serviceOption(CircuitBreaker.CircuitBreakerStore),
  Option.getOrUndefined
)

/** Lives as long as the current scope. The store of the context takes precedence over `busStore`. */
export const make = Effect.fnUntraced(function* (key: string, options: BreakerOptions, busStore: Store | undefined) {
  const policy = CircuitBreaker.make({
    tripPolicy: CircuitBreaker.consecutive(options.failures ?? 10),
    openDuration: options.openDuration ?? "30 seconds"
  })
  const own = Context.get(yield* Layer.build(CircuitBreaker.layerStoreMemory()), CircuitBreaker.CircuitBreakerStore)
  const theirs = (yield* shared) ?? busStore
  const store = countingOverdue(theirs === undefined ? own : withStandIn(theirs, own))
  const breaker = yield* Effect.provideService(policy, CircuitBreaker.CircuitBreakerStore, store)
  const countOverdue = Effect.ignore(breaker.execute(Effect.fail("overdue"), { key }))
  const made: Breaker = {
    guard: (handler, isOverdue) =>
      Effect.suspend(() => {
        const attempt = new Attempt()
        const watched = Effect.onExit(handler, (exit) =>
          Effect.sync(() => {
            attempt.isOverdue = isOverdue() && Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)
          })
        )
        return breaker.execute(watched, { key, classify }).pipe(
          Effect.onExit(() => (attempt.isOverdue ? countOverdue : Effect.void)),
          Effect.provideService(CurrentAttempt, attempt)
        )
      }),
    refusal: (exit) => {
      const error = errorOf(exit)
      if (!(error instanceof CircuitBreaker.CircuitBreakerError)) return undefined
      return error.reason._tag === "CircuitOpen"
        ? Math.max(1, Duration.toMillis(error.reason.retryAfter))
        : probedMillis
    }
  }
  return made
})

/** A `Reject` or a `Later` is about the event, and says nothing about what the handler depends on. */
const classify = (exit: Exit.Exit<unknown, unknown>): CircuitBreaker.Outcome => {
  if (Exit.isSuccess(exit)) return CircuitBreaker.success
  return FailedAttempt.of(exit)._tag === "Failed" ? CircuitBreaker.failure() : CircuitBreaker.ignored
}

class Attempt {
  admission: CircuitBreaker.Admission | undefined
  /** Whether its handler was interrupted at its deadline. */
  isOverdue = false
}

const CurrentAttempt: Context.Reference<Attempt | undefined> = Context.Reference<Attempt | undefined>(
  "@eduflow/events/bus/admit/Attempt",
  { defaultValue: () => undefined }
)

/**
 * The breaker ignores interruption without asking `classify`, but a dependency that hangs is down, too. An attempt that
 * missed its deadline is recorded as a failure by a second call, with the admission of the first: one that began before
 * the breaker opened says nothing once it has closed, and a probe is still the probe.
 */
const countingOverdue = (store: Store): Store => ({
  ...store,
  admit: (key) =>
    Effect.flatMap(CurrentAttempt, (attempt) => {
      if (attempt?.isOverdue === true && attempt.admission !== undefined) return Effect.succeed(attempt.admission)
      return Effect.tap(store.admit(key), (admission) =>
        Effect.sync(() => {
          if (attempt !== undefined) attempt.admission = { ...admission, transition: undefined }
        })
      )
    }),
  record: (outcome) =>
    Effect.flatMap(CurrentAttempt, (attempt) =>
      attempt?.isOverdue === true && outcome.outcome === "Ignored" ? Effect.undefined : store.record(outcome)
    )
})

/** An attempt that the stand-in admitted is recorded there: a negative generation marks it. */
const withStandIn = (theirs: Store, own: Store): Store => ({
  admit: standIn(
    theirs.admit,
    (key) => Effect.map(own.admit(key), (admission) => ({ ...admission, generation: mirror(admission.generation) })),
    isStoreError
  ),
  record: (outcome) =>
    outcome.generation < 0
      ? own.record({ ...outcome, generation: mirror(outcome.generation) })
      : Effect.catchIf(theirs.record(outcome), isStoreError, () => Effect.undefined),
  state: standIn(theirs.state, own.state, isStoreError)
})

const mirror = (generation: number): number => -1 - generation

const isStoreError = ({ reason }: CircuitBreaker.CircuitBreakerError): boolean =>
  reason._tag === "CircuitBreakerStoreError"
