/**
 * Stops a subscriber whose handlers fail one after the other: a dependency is down, and going on would
 * burn the attempts of the whole backlog. Effect's CircuitBreaker decides; an event that it refuses was
 * not attempted and stays where it is, first of those that wait.
 *
 * With a `CircuitBreakerStore` in the context (Redis) a whole fleet stops at once; without, and while it
 * does not answer, each process decides for itself (P4).
 */
import { Cause, Context, Duration, Effect, Exit, Layer, Option, type Schedule } from "effect"
import * as CircuitBreaker from "effect/persistence/CircuitBreaker"
import { verdictOf } from "./Work.ts"

export interface BreakerOptions {
  /** Failed attempts in a row that open it. Default 10. */
  readonly failures?: number
  /** How long it stays open; a Schedule is stepped by openings in a row. Default 30 seconds. */
  readonly openFor?: Duration.Input | Schedule.Schedule<unknown, number>
}

export interface Breaker {
  /** Runs the handler, unless it is open. Interrupted while `isOverdue` it has failed; otherwise it was given back. */
  readonly guard: <A, E, R>(handler: Effect.Effect<A, E, R>, isOverdue: () => boolean) => Effect.Effect<A, unknown, R>
  /** Milliseconds until it makes sense to try again, when this exit says that nothing was attempted. */
  readonly refusal: (exit: Exit.Exit<unknown, unknown>) => number | undefined
}

/** While somebody else probes. */
const probedMillis = 1000

export type Store = CircuitBreaker.CircuitBreakerStore["Service"]

/** The store of the context. */
export const shared: Effect.Effect<Store | undefined> = Effect.map(
  Effect.serviceOption(CircuitBreaker.CircuitBreakerStore),
  Option.getOrUndefined
)

/** Lives as long as the current scope. The store of the context comes before the one of the bus. */
export const make = Effect.fnUntraced(function* (key: string, options: BreakerOptions, fallback: Store | undefined) {
  const policy = CircuitBreaker.make({
    tripPolicy: CircuitBreaker.consecutive(options.failures ?? 10),
    openDuration: options.openFor ?? "30 seconds"
  })
  const own = Context.get(yield* Layer.build(CircuitBreaker.layerStoreMemory()), CircuitBreaker.CircuitBreakerStore)
  const theirs = (yield* shared) ?? fallback
  const store = theirs === undefined ? own : withStandIn(theirs, own)
  const breaker = yield* Effect.provideService(policy, CircuitBreaker.CircuitBreakerStore, store)
  // What the event itself is to blame for says nothing about what the handler needs.
  const classify = (exit: Exit.Exit<unknown, unknown>): CircuitBreaker.Outcome =>
    Exit.isSuccess(exit)
      ? CircuitBreaker.success
      : verdictOf(exit)._tag === "Failed"
        ? CircuitBreaker.failure()
        : CircuitBreaker.ignored
  // What is interrupted it passes over without asking; a dependency that hangs is down, too.
  const overdue = Effect.ignore(breaker.execute(Effect.fail("overdue"), { key }))
  const made: Breaker = {
    guard: (handler, isOverdue) =>
      Effect.onExit(breaker.execute(handler, { key, classify }), (exit) =>
        isOverdue() && Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause) ? overdue : Effect.void
      ),
    refusal: (exit) => {
      const error = Exit.isFailure(exit) ? Option.getOrUndefined(Cause.findErrorOption(exit.cause)) : undefined
      if (!(error instanceof CircuitBreaker.CircuitBreakerError)) return undefined
      return error.reason._tag === "CircuitOpen"
        ? Math.max(1, Duration.toMillis(error.reason.retryAfter))
        : probedMillis
    }
  }
  return made
})

/** Who was admitted by the stand-in is recorded there: its generations are told by being negative. */
const withStandIn = (shared: Store, own: Store): Store => ({
  admit: (key) =>
    Effect.catchIf(shared.admit(key), isStoreError, () =>
      Effect.map(own.admit(key), (admission) => ({ ...admission, generation: mirror(admission.generation) }))
    ),
  record: (outcome) =>
    outcome.generation < 0
      ? own.record({ ...outcome, generation: mirror(outcome.generation) })
      : Effect.catchIf(shared.record(outcome), isStoreError, () => Effect.undefined),
  state: (key) => Effect.catchIf(shared.state(key), isStoreError, () => own.state(key))
})

const mirror = (generation: number): number => -1 - generation

const isStoreError = ({ reason }: CircuitBreaker.CircuitBreakerError): boolean =>
  reason._tag === "CircuitBreakerStoreError"
