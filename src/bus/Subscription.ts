/**
 * What one can ask of a subscriber while it runs. Supervisor.ts runs it.
 */
import type { Effect, SubscriptionRef } from "effect"
import type { SubscribeError } from "./BusError.ts"
import type { SubscriberTree } from "./Tree.ts"

export type Status = "Starting" | "Running" | "Paused" | "Restarting" | "Draining" | "Stopped" | "Failed"

export interface SubscriberStatus {
  readonly _tag: Status
  readonly since: Date
  readonly restarts: number
  /** Why it restarts or failed. */
  readonly cause: string | undefined
}

export interface SubscriberStats {
  /** Deliveries held: running, waiting for a retry, or not started. */
  readonly held: number
  readonly inFlight: number
  readonly handled: number
  readonly retried: number
  readonly deadLettered: number
  readonly postponed: number
  readonly skipped: number
  /** With `idempotent`: deliveries of what was handled before. */
  readonly duplicates: number
  /** Deliveries given back unsettled. */
  readonly returns: number
  readonly zombies: number
  /** With `onBlocked: "park"`: events that are parked, as far as this process is the active one. */
  readonly parked: number
  /** Keys that have something to do. */
  readonly lanes: number
}

/** A registered subscriber. It ends with the scope it was made in. */
export interface Subscription {
  readonly name: string
  readonly status: SubscriptionRef.SubscriptionRef<SubscriberStatus>
  readonly stats: Effect.Effect<SubscriberStats>
  /** Status, figures, lag and lanes at this moment. */
  readonly tree: Effect.Effect<SubscriberTree>
  /** Stops taking, finishes what runs, gives back the rest. True when nothing had to be interrupted. */
  readonly drain: Effect.Effect<boolean>
  /** Ends at once: what runs is interrupted and given back, which is not a failed attempt. */
  readonly stop: Effect.Effect<void>
  /**
   * Starts no handler until `resume`; what runs ends. What was delivered is kept for ten minutes, since
   * giving it back costs each event one of its lives, and then goes back to the queue.
   */
  readonly pause: Effect.Effect<void>
  /** What was kept runs first. */
  readonly resume: Effect.Effect<void>
  /**
   * Lets a parked key go on before its time, or every one; asked of any process of the subscriber, done by
   * the one that is active. Fails where nothing can be parked.
   */
  readonly release: (key?: string) => Effect.Effect<void, SubscribeError>
  /** Handlers at work at once, from now on. More than the prefetch is of no use. */
  readonly setConcurrency: (count: number) => Effect.Effect<void, SubscribeError>
}
