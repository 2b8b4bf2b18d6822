/**
 * A subscriber is an actor: a name (its identity), a mailbox (its queue), a behaviour (its handler), a
 * retry policy and a dead-letter queue. As a layer it lives as long as the service does.
 */
import { Effect, Layer } from "effect"
import type * as Event from "../event/Event.ts"
import type { SubscribeError } from "./BusError.ts"
import { EventBus } from "./EventBus.ts"
import type { BatchedOptions, Required, SubscriberOptions } from "./SubscriberOptions.ts"

export type { BatchedOptions, BatchHandler, BatchOptions, SingleOptions } from "./SubscriberOptions.ts"
export type { DeliveryInfo, Events, Handler, SubscriberOptions } from "./SubscriberOptions.ts"
export type { Status, SubscriberStats, SubscriberStatus, Subscription } from "./Subscription.ts"

type Actor<R> = Layer.Layer<never, SubscribeError, EventBus | Required<R>>

/**
 * Built when its queue is declared, bound and consumed; drained when it is released. Fails with
 * `SubscribeError` when an option cannot be, or the broker's queue is another than declared here.
 *
 * @example
 * ```ts
 * import { Event, Subscriber } from "@eduflow/events"
 * import { Effect, Schedule, Schema } from "effect"
 *
 * const GradePosted = Event.make("academic.grade.posted", {
 *   version: 1,
 *   data: Schema.Struct({ studentId: Schema.String, grade: Schema.Finite }),
 *   key: (grade) => grade.studentId
 * })
 *
 * export const GradeMailer = Subscriber.layer("notification.grade-mailer", {
 *   events: [GradePosted],
 *   handler: (event) => Effect.logInfo(`grade ${event.data.grade}`),
 *   retry: Schedule.exponential("500 millis").pipe(Schedule.upTo({ times: 6 })),
 *   ordering: "key"
 * })
 * ```
 */
export const layer: {
  <E extends Event.Any, Err, R>(name: string, options: BatchedOptions<E, Err, R>): Actor<R>
  <E extends Event.Any, Err, R>(name: string, options: SubscriberOptions<E, Err, R>): Actor<R>
} = <E extends Event.Any, Err, R>(name: string, options: SubscriberOptions<E, Err, R>): Actor<R> =>
  Layer.effectDiscard(Effect.flatMap(EventBus, (bus) => bus.subscribe(name, options)))

/** `EventBus.subscribeEphemeral` as a layer; outside of P3. */
export const layerEphemeral: {
  <E extends Event.Any, Err, R>(options: BatchedOptions<E, Err, R> & { readonly onGap?: () => void }): Actor<R>
  <E extends Event.Any, Err, R>(options: SubscriberOptions<E, Err, R> & { readonly onGap?: () => void }): Actor<R>
} = <E extends Event.Any, Err, R>(options: SubscriberOptions<E, Err, R> & { readonly onGap?: () => void }): Actor<R> =>
  Layer.effectDiscard(Effect.flatMap(EventBus, (bus) => bus.subscribeEphemeral(options)))
