/**
 * How one subscribes: the calls of the bus as they infer best.
 */
import type { Effect, Scope } from "effect"
import type * as Event from "../event/Event.ts"
import type { SubscribeError } from "./BusError.ts"
import type { BatchedOptions, Required, SubscriberOptions } from "./SubscriberOptions.ts"
import type { Subscription } from "./Subscription.ts"

export type Started<R> = Effect.Effect<Subscription, SubscribeError, Required<R> | Scope.Scope>

/** A handler of batches and one of single events are told apart by `batch`, which an overload infers best. */
export interface Subscribe {
  <E extends Event.Any, Err, R>(name: string, options: BatchedOptions<E, Err, R>): Started<R>
  <E extends Event.Any, Err, R>(name: string, options: SubscriberOptions<E, Err, R>): Started<R>
}

export interface SubscribeEphemeral {
  <E extends Event.Any, Err, R>(options: BatchedOptions<E, Err, R> & Gaps): Started<R>
  <E extends Event.Any, Err, R>(options: SubscriberOptions<E, Err, R> & Gaps): Started<R>
}

export interface Gaps {
  /** Told when events may have been missed. */
  readonly onGap?: () => void
}
