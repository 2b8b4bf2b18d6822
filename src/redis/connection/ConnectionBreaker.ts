/**
 * Takes a connection out of service after three commands in a row that were lost, late or slow. Effect's
 * CircuitBreaker counts them; a PING is its probe, so no caller ever is.
 *
 * An answer in time is not reported to the breaker while it has no failure to forget: a healthy
 * connection pays nothing.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as CircuitBreaker from "effect/persistence/CircuitBreaker"

/** What a command says about the connection. */
export type CommandOutcome = "fine" | "failed"

export interface ConnectionBreaker {
  /** Reports a command that started at `start`. Succeeds with whether the connection has to leave service. */
  readonly record: (start: number, outcome: CommandOutcome) => Effect.Effect<boolean>
  /** Runs the PING that puts the connection into service, or `rejected` when it comes too early. */
  readonly probe: <A, E>(ping: Effect.Effect<A, E>, rejected: Effect.Effect<A, E>) => Effect.Effect<A, E>
}

const key = "redis"
const failuresToTrip = 3
/** The client waits longer than this between two probes, by its own backoff. */
const openDuration = 10

class Breaker implements ConnectionBreaker {
  private readonly breaker: CircuitBreaker.CircuitBreaker
  private readonly now: () => number
  private isSuspect = false
  private lastFailure = Number.NEGATIVE_INFINITY

  constructor(breaker: CircuitBreaker.CircuitBreaker, now: () => number) {
    this.breaker = breaker
    this.now = now
  }

  record(start: number, outcome: CommandOutcome): Effect.Effect<boolean> {
    if (outcome === "fine") {
      if (!this.isSuspect) return no
      this.isSuspect = false
      return Effect.as(this.report(CircuitBreaker.success), false)
    }
    // One hiccup, ours or that of Redis, hits every command that is under way: it counts once.
    if (start < this.lastFailure) return no
    this.lastFailure = this.now()
    this.isSuspect = true
    return this.report(CircuitBreaker.failure()).pipe(
      Effect.andThen(this.breaker.state(key)),
      // A store in memory does not fail.
      Effect.match({ onFailure: () => false, onSuccess: ({ _tag }) => _tag === "Open" })
    )
  }

  probe<A, E>(ping: Effect.Effect<A, E>, rejected: Effect.Effect<A, E>): Effect.Effect<A, E> {
    return this.breaker.execute(ping, { key }).pipe(
      Effect.tap(() => Effect.sync(() => void (this.isSuspect = false))),
      Effect.catchIf(
        (error): error is CircuitBreaker.CircuitBreakerError => error instanceof CircuitBreaker.CircuitBreakerError,
        () => rejected
      )
    )
  }

  /** Once the circuit is open, late outcomes change nothing. */
  private report(outcome: CircuitBreaker.Outcome): Effect.Effect<void> {
    return Effect.ignore(this.breaker.execute(Effect.void, { key, classify: () => outcome }))
  }
}

const no = Effect.succeed(false)

/** Lives as long as the current scope. */
export const make = Effect.fnUntraced(function* (now: () => number) {
  // A layer that others build too would be one circuit for all of them.
  const store = Context.get(
    yield* Layer.build(Layer.fresh(CircuitBreaker.layerStoreMemory())),
    CircuitBreaker.CircuitBreakerStore
  )
  const breaker = yield* CircuitBreaker.make({
    tripPolicy: CircuitBreaker.consecutive(failuresToTrip),
    openDuration
  }).pipe(Effect.provideService(CircuitBreaker.CircuitBreakerStore, store))
  const made: ConnectionBreaker = new Breaker(breaker, now)
  return made
})
