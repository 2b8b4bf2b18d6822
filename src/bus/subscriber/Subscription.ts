/**
 * The handle of a running subscriber: its status, its figures, and what can be done with it.
 */
import type * as Effect from "effect/Effect"
import type * as SubscriptionRef from "effect/SubscriptionRef"
import type { SubscribeError } from "./SubscribeError.ts"

export type Status = "Starting" | "Running" | "Paused" | "Restarting" | "Draining" | "Stopped" | "Failed"

export interface SubscriberStatus {
  readonly _tag: Status
  readonly since: Date
  readonly restarts: number
  /** Why it restarts, pauses or failed; of a stopped one, how it ended: it was drained or stopped. */
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
  /** With `idempotent`: deliveries of events that were handled before. */
  readonly duplicates: number
  /** Deliveries returned to the queue unsettled. */
  readonly returns: number
  readonly zombies: number
  /** With `ordering: "key"`: parked events, if this process is the active one. */
  readonly parked: number
  /** Keys with at least one held event. */
  readonly lanes: number
  /** Keys whose first event waits because another process has claimed it. */
  readonly claimed: number
  /** By key: events that wait behind first events which wait for a second or longer and may be parked. */
  readonly behindWaiting: number
  /** The bound of `behindWaiting`, half of the prefetch window: beyond it a key is parked. */
  readonly maxBehindWaiting: number
}

/** The events of one key in a keyed subscriber. */
export interface Lane {
  readonly key: string
  /**
   * The state of its first event: `running` in its handler, `waiting` for its retry or its settlement, `claimed`
   * while another process has claimed it, `parked` while it waits in the parked queue, `ready` while it waits for its
   * turn.
   */
  readonly head: "running" | "waiting" | "claimed" | "parked" | "ready"
  readonly id: string
  readonly attempt: number
  /** Events that wait behind the first one. */
  readonly behind: number
}

export interface Lag {
  /** Events ready in its queue at the last inspection, at most 15 seconds ago; undefined when that failed. */
  readonly ready: number | undefined
  /** When the oldest delivered and unsettled event was published. */
  readonly oldest: Date | undefined
  /** Why nothing can arrive from its queue, which has not answered for seconds; undefined while it answers. */
  readonly fault: string | undefined
}

export interface SubscriberTree extends SubscriberStatus, SubscriberStats {
  readonly name: string
  readonly ordering: "none" | "key"
  readonly lag: Lag
  /** At most 1,000 lanes. */
  readonly keys: ReadonlyArray<Lane>
}

/** A running subscriber. It ends with the scope that it was started in. */
export interface Subscription {
  readonly name: string
  readonly status: SubscriptionRef.SubscriptionRef<SubscriberStatus>
  readonly stats: Effect.Effect<SubscriberStats>
  /** Its status, figures, lag and lanes at this moment. */
  readonly tree: Effect.Effect<SubscriberTree>
  /** Stops consuming, lets running handlers end, returns the rest. True when nothing had to be interrupted. */
  readonly drain: Effect.Effect<boolean>
  /** Stops at once: interrupts running handlers and returns their events, which is not a failed attempt. */
  readonly stop: Effect.Effect<void>
  /**
   * Starts no handler until `resume`; running handlers end. Deliveries are held for ten minutes, because each
   * return uses up one of an event's lives, and then return to the queue.
   */
  readonly pause: Effect.Effect<void>
  /** Held deliveries run first. */
  readonly resume: Effect.Effect<void>
  /**
   * Lets a parked key run before its time, or every parked key. Any process of the subscriber can be asked; the
   * active one does it. Fails for a subscriber that cannot park.
   */
  readonly release: (key?: string) => Effect.Effect<void, SubscribeError>
  /** Sets how many handlers may run at once. More than the prefetch has no effect. Fails when the subscriber has ended. */
  readonly setConcurrency: (count: number) => Effect.Effect<void, SubscribeError>
}
