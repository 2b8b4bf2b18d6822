/**
 * The options of a subscriber, and the signatures of the calls that start one. SubscriberSettings.ts checks the
 * options and fills in their defaults.
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type { SqlClient } from "effect/sql/SqlClient"
import type * as Envelope from "../../event/Envelope.ts"
import type * as Event from "../../event/Event.ts"
import type * as EventGroup from "../../event/EventGroup.ts"
import type { Baggage } from "../../event/flow/Baggage.ts"
import type { InboxError } from "../../outbox/inbox/Once.ts"
import type { Headers } from "../port/Broker.ts"
import type { BatchFailure } from "./Batch.ts"
import { contractsOf, type ForeignEvents, isForeign } from "./ForeignEvents.ts"
import type { AttemptFailure, Later, Reject } from "./HandlerError.ts"
import type * as RetryDelay from "./RetryDelay.ts"
import type { SubscribeError } from "./SubscribeError.ts"
import type { Subscription } from "./Subscription.ts"

/** The facts about the delivery of an event. */
export interface DeliveryInfo {
  readonly subscriber: string
  /** 1 for the first attempt; after a crash a lower bound. */
  readonly attempt: number
  readonly firstFailure: Date | undefined
  /** Whether it may have been handled before. */
  readonly redelivered: boolean
  /** How often it was replayed from the dead-letter queue. */
  readonly replays: number
  /** The publisher's own headers. */
  readonly headers: Headers
  /** Names and values that travel with the event (W3C Baggage), as anybody on the way may have set them. Absent without any. */
  readonly baggage?: Baggage
  /** With `idempotent`: grows with each claim of an event, so that a store can refuse a late writer. */
  readonly fence: number | undefined
}

export type Handler<E extends Event.Any, Err, R> = (
  event: Envelope.Of<E>,
  delivery: DeliveryInfo
) => Effect.Effect<unknown, Err, R>

/** Gets a batch of events, and the facts about the delivery of each at the same index. */
export type BatchHandler<E extends Event.Any, Err, R> = (
  events: ReadonlyArray<Envelope.Of<E>>,
  deliveries: ReadonlyArray<DeliveryInfo>
) => Effect.Effect<unknown, Err, R>

/** How events are collected into batches. */
export interface BatchOptions {
  /** The largest number of events in a batch, 1 to 10,000. */
  readonly size: number
  /** Longest time that the first event waits for more, at most 5 minutes. */
  readonly maxWait: Duration.Input
}

/** When a breaker stops attempts, because they fail one after the other. */
export interface BreakerOptions {
  /** Failed attempts in a row that open it. Default 10. */
  readonly failures?: number
  /** How long it stays open. A Schedule is stepped once for each opening in a row. Default 30 seconds. */
  readonly openDuration?: Duration.Input | Schedule.Schedule<unknown, number>
}

/** How many events a subscriber attempts in a window of time. */
export interface RateLimitOptions {
  /** Events in each window. */
  readonly limit: number
  readonly window: Duration.Input
}

/** How often a subscriber may restart without progress, and what happens then. */
export interface RestartOptions {
  /** The largest number of restarts without progress. Default 10. */
  readonly max?: number
  /** The time in which restarts are counted. Default 10 minutes. */
  readonly within?: Duration.Input
  /**
   * What happens after too many restarts. `"stay-failed"` (default): the subscriber stays Failed and health reports
   * it. `"fail-layer"`: the layer fails, and with it the whole service: `runMain` ends with exit code 1, so that its
   * supervisor can start it again.
   */
  readonly onExhausted?: "stay-failed" | "fail-layer"
}

/** The errors of the single events of a batch. */
export type Single<Err> = Err extends BatchFailure<infer One> ? One : Err

/** Contracts, the contracts of a group that match a pattern, or events of another system (`Foreign`). */
export type Events<E extends Event.Any> = ReadonlyArray<E> | EventGroup.Match<E> | ForeignEvents<E>

/** The handler gets single events, or batches. */
export type SubscriberOptions<E extends Event.Any, Err, R> = SingleOptions<E, Err, R> | BatchedOptions<E, Err, R>

/** The same, also with an inbox. */
export type AllOptions<E extends Event.Any, Err, R> = SubscriberOptions<E, Err, R> | InboxOptions<E, Err, R>

export type SingleOptions<E extends Event.Any, Err, R> = SingleReturning<E, Effect.Effect<unknown, Err, R>>

/** The options of a handler whose effects in a database happen once. */
export type InboxOptions<E extends Event.Any, Err, R> = InboxReturning<E, Effect.Effect<unknown, Err, R>>

export type BatchedOptions<E extends Event.Any, Err, R> = BatchedReturning<E, Effect.Effect<unknown, Err, R>>

/** The options of a handler that returns `Returned`: an Effect, or one of several Effects. */
export interface SingleReturning<E extends Event.Any, Returned> extends CommonOptions<E, Effect.Error<Returned>> {
  readonly batch?: undefined
  /**
   * Any failure is a failed attempt, with two exceptions: `Reject` dead-letters at once, and `Later` postpones the
   * event without counting an attempt. Each delivery has a Scope of its own.
   */
  readonly handler: (event: Envelope.Of<E>, delivery: DeliveryInfo) => Returned
  readonly inbox?: false
}

/** The same for a handler that runs in a transaction of the `SqlClient` among its services. */
export interface InboxReturning<E extends Event.Any, Returned> extends CommonOptions<
  E,
  Effect.Error<Returned> | InboxError
> {
  readonly batch?: undefined
  /** As without `inbox`. What it does in that database is committed with the mark of the event, or not at all. */
  readonly handler: (event: Envelope.Of<E>, delivery: DeliveryInfo) => Returned
  /**
   * Whether the handler runs in a transaction that begins with a mark of the event: subscriber, source, type and id. An event
   * whose mark exists is acknowledged and not handled, so what the handler does in that database happens once, also
   * through redeliveries, replays and kills. The table of the marks comes from `Migrations` of `@eduflow/events/outbox`, and
   * `Inbox.purging` removes old ones. Not with `batch`, and not for ephemeral subscribers. Default false.
   */
  readonly inbox: true
}

/** The same for a handler of batches. */
export interface BatchedReturning<E extends Event.Any, Returned> extends CommonOptions<E, Effect.Error<Returned>> {
  readonly batch: BatchOptions
  /**
   * If the handler fails, every event of the batch counts as failed. If it fails with a `BatchFailure`, only the
   * events it names do (see `Batch.each`). Each batch has a Scope of its own. With `ordering: "key"`, no two events
   * of a batch have the same key.
   */
  readonly handler: (events: ReadonlyArray<Envelope.Of<E>>, deliveries: ReadonlyArray<DeliveryInfo>) => Returned
  readonly inbox?: false
}

export type AnyReturning<E extends Event.Any, Returned> = SingleReturning<E, Returned> | BatchedReturning<E, Returned>

/** Adds nothing to the options of a handler that returns an Effect. For any other it is the error that is shown. */
export type ReturnsEffect<Returned> = unknown extends Returned
  ? unknown
  : [Returned] extends [Effect.Effect<unknown, unknown, unknown>]
    ? unknown
    : { readonly handler: NoEffect<Returned> }

type NoEffect<Returned> = [Extract<Returned, PromiseLike<unknown>>] extends [never]
  ? "A handler returns an Effect, such as Effect.void or Effect.sync(() => ...)"
  : "A handler returns an Effect, not a Promise: wrap it in Effect.tryPromise(() => ...), or use createEventBus"

export interface CommonOptions<E extends Event.Any, Err> {
  readonly events: Events<E>
  /** When to retry a failed attempt. Default: after 1, 2, 4, 8 and 16 seconds. */
  readonly retry?: RetryDelay.RetryPolicy<Exclude<Single<Err>, Reject | Later> | AttemptFailure>
  /** The number of handlers that may run at once. Default 16; with `batch` 1. */
  readonly concurrency?: number
  /**
   * `"key"`: events with the same key run one at a time and in order, different keys run at once. A failing event
   * blocks later events with the same key. The ordering is part of the queue's identity: changing it needs a new
   * subscriber name. Default `"none"`.
   */
  readonly ordering?: "none" | "key"
  /**
   * With `ordering: "key"`: what happens to an event that blocks its key for more than 10 minutes, or blocks half of
   * the prefetch window. `"park"` (default): the key is parked, in order, until the event is handled or its Schedule
   * ends. Only a parked key can wait longer than 10 minutes. A subscriber parks at most 10,000 events and 32 MiB. Its
   * parked queue is declared when it is needed; when `"park"` is set, at the start. `"dead-letter"`: the event is
   * dead-lettered before its Schedule ends, and its key goes on.
   */
  readonly onBlocked?: "dead-letter" | "park"
  /**
   * Longest time for one attempt, of an event or a batch, without what the stores of `idempotent`, `breaker` and
   * `rateLimit` take. Default 60 seconds; the broker's own limit is 30 minutes.
   */
  readonly deadline?: Duration.Input
  /**
   * The number of deliveries that may be held at once. Default: twice the concurrency, between 32 and 250; 250 with
   * `ordering: "key"`; at least as many as the batches that run at once can hold.
   */
  readonly prefetch?: number
  /**
   * Contracts or names of events that this subscriber handled once and never will again: what their bindings still
   * bring is acknowledged and counted as skipped. Any other event without a contract here waits for a process of this
   * subscriber that knows it, as during a deploy, and is then dead-lettered as `UnknownType`. Default: none.
   */
  readonly retired?: ReadonlyArray<Event.Any | string>
  /** Whether its dead letters are announced to other processes by `bus.event.dead-lettered`. Default true. */
  readonly announceDeadLetters?: boolean
  /**
   * Stops attempts after several failures in a row, so that an outage does not use up the attempts of the whole
   * backlog, and probes with one event now and then. Default: no breaker.
   */
  readonly breaker?: BreakerOptions
  /** How often it may restart without progress. Default: 10 times in 10 minutes, then it stays Failed. */
  readonly restarts?: RestartOptions
  /** The largest number of attempts in a window of time; more wait. Default: no limit. */
  readonly rateLimit?: RateLimitOptions
  /**
   * Handles an event once although it may be delivered more often: handled events are remembered for a day in Redis,
   * or without Redis in the process. Costs two Redis commands per event. Default false.
   */
  readonly idempotent?: boolean
  /** With `idempotent`, while the store does not answer: handle the event anyway (default), or wait for the store. */
  readonly onStoreDown?: "handle" | "wait"
  /** How often `Later` may postpone one event. Default 100; in any case at most for 24 hours. */
  readonly maxPostponed?: number
  /** Whether its spans belong to the trace of the publish, or link to it. Default: the option of the bus. */
  readonly traceRelation?: "parent" | "link"
}

export const isMatch = <E extends Event.Any>(events: Events<E>): events is EventGroup.Match<E> => "pattern" in events

/** The contracts that it names. */
export const listOf = <E extends Event.Any>(events: Events<E>): ReadonlyArray<E> =>
  isForeign<E>(events) ? contractsOf(events) : isMatch(events) ? events.events : events

/** The services that the caller provides: each delivery brings the Scope that a handler may need. */
export type Required<R> = Exclude<R, Scope.Scope>

/** A subscriber that is ready: its queue is declared, bound and consumed. */
export type Started<R> = Effect.Effect<Subscription, SubscribeError, Required<R> | Scope.Scope>

/**
 * The overloads infer batched and single handlers best: `batch` decides which one it is, and `inbox` whether a
 * database is needed. What the handler returns is
 * inferred as a whole, because TypeScript would take the first error alone of a handler that returns several Effects.
 */
export interface Subscribe {
  <E extends Event.Any, Returned>(
    name: string,
    options: BatchedReturning<E, Returned> & ReturnsEffect<Returned>
  ): Started<Effect.Services<Returned>>
  <E extends Event.Any, Returned>(
    name: string,
    options: InboxReturning<E, Returned> & ReturnsEffect<Returned>
  ): Started<Effect.Services<Returned> | SqlClient>
  <E extends Event.Any, Returned>(
    name: string,
    options: AnyReturning<E, Returned> & ReturnsEffect<Returned>
  ): Started<Effect.Services<Returned>>
}

export interface SubscribeEphemeral {
  <E extends Event.Any, Returned>(
    options: BatchedReturning<E, Returned> & GapOptions & ReturnsEffect<Returned>
  ): Started<Effect.Services<Returned>>
  <E extends Event.Any, Returned>(
    options: AnyReturning<E, Returned> & GapOptions & ReturnsEffect<Returned>
  ): Started<Effect.Services<Returned>>
}

export interface GapOptions {
  /** Called when events may have been missed. */
  readonly onGap?: () => void
}
