/**
 * A subscriber is an actor: a name is its identity, a queue its mailbox, a handler its behaviour. It has a retry
 * policy and a dead-letter queue. As a layer it lives as long as the service.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { SqlClient } from "effect/sql/SqlClient"
import type * as Event from "../event/Event.ts"
import type { Replies, ReplyOptions } from "./request/Replier.ts"
import type { SubscribeError } from "./subscriber/SubscribeError.ts"
import { EventBus } from "./EventBus.ts"
import type {
  AllOptions,
  AnyReturning,
  BatchedReturning,
  GapOptions,
  InboxReturning,
  Required,
  ReturnsEffect,
  SubscriberOptions
} from "./subscriber/SubscriberOptions.ts"

export type {
  BatchedOptions,
  BatchHandler,
  BatchOptions,
  InboxOptions,
  SingleOptions
} from "./subscriber/SubscriberOptions.ts"
export type {
  DeliveryInfo,
  Events,
  GapOptions,
  Handler,
  SubscriberOptions as Options
} from "./subscriber/SubscriberOptions.ts"
export type {
  Lag,
  Lane,
  Status,
  SubscriberStats as Stats,
  SubscriberStatus,
  SubscriberTree as Tree,
  Subscription
} from "./subscriber/Subscription.ts"

export type { ReplyOptions } from "./request/Replier.ts"

type Actor<R> = Layer.Layer<never, SubscribeError, EventBus | Required<R>>

/**
 * Ready when the queue of the subscriber is declared, bound and consumed; drains the subscriber when it is
 * released. Fails with `SubscribeError` when an option cannot work, or when the queue on the broker differs from
 * the one declared here.
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
  <E extends Event.Any, Returned>(
    name: string,
    options: BatchedReturning<E, Returned> & ReturnsEffect<Returned>
  ): Actor<Effect.Services<Returned>>
  <E extends Event.Any, Returned>(
    name: string,
    options: InboxReturning<E, Returned> & ReturnsEffect<Returned>
  ): Actor<Effect.Services<Returned> | SqlClient>
  <E extends Event.Any, Returned>(
    name: string,
    options: AnyReturning<E, Returned> & ReturnsEffect<Returned>
  ): Actor<Effect.Services<Returned>>
} = <E extends Event.Any, Err, R>(name: string, options: AllOptions<E, Err, R>): Actor<R> =>
  // The signature that a caller sees adds the database that `inbox` needs.
  Layer.effectDiscard(Effect.flatMap(EventBus, (bus) => bus.subscribe(name, options as SubscriberOptions<E, Err, R>)))

/**
 * A subscriber that answers requests (`Event.request`), with all that a subscriber is otherwise: retries, dead letters, one process
 * or many. Its queue keeps requests while no process of it runs, until their askers wait no longer.
 *
 * @example
 * ```ts
 * import { Event, EventBus, Subscriber } from "@eduflow/events"
 * import { Effect, Schema } from "effect"
 *
 * const SeatsLeft = Event.request("academic.course.seats-left", {
 *   version: 1,
 *   data: Schema.Struct({ courseId: Schema.String }),
 *   reply: Schema.Struct({ seats: Schema.Int })
 * })
 *
 * export const Seats = Subscriber.reply("academic.seats", {
 *   to: SeatsLeft,
 *   handler: ({ data }) => Effect.succeed({ seats: data.courseId === "c-7" ? 3 : 0 })
 * })
 *
 * export const enrol = Effect.gen(function* () {
 *   const bus = yield* EventBus
 *   const { seats } = yield* bus.request(SeatsLeft, { courseId: "c-7" }, { deadline: "2 seconds" })
 *   return seats > 0
 * })
 * ```
 */
export const reply = <Q extends Event.AnyRequest, Returned>(
  name: string,
  options: ReplyOptions<Q, Returned> & Replies<Q, Returned>
): Actor<Effect.Services<Returned>> => Layer.effectDiscard(Effect.flatMap(EventBus, (bus) => bus.reply(name, options)))

/** `EventBus.subscribeEphemeral` as a layer. Events are not guaranteed to be handled. */
export const layerEphemeral: {
  <E extends Event.Any, Returned>(
    options: BatchedReturning<E, Returned> & GapOptions & ReturnsEffect<Returned>
  ): Actor<Effect.Services<Returned>>
  <E extends Event.Any, Returned>(
    options: AnyReturning<E, Returned> & GapOptions & ReturnsEffect<Returned>
  ): Actor<Effect.Services<Returned>>
} = <E extends Event.Any, Err, R>(options: SubscriberOptions<E, Err, R> & GapOptions): Actor<R> =>
  Layer.effectDiscard(Effect.flatMap(EventBus, (bus) => bus.subscribeEphemeral(options)))
