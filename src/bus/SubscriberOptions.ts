/**
 * What a user writes of a subscriber. SubscriberSettings.ts fills in the defaults and checks it.
 */
import type { Duration, Effect, Scope } from "effect"
import type * as Envelope from "../event/Envelope.ts"
import type * as Event from "../event/Event.ts"
import type * as EventGroup from "../event/EventGroup.ts"
import type { BreakerOptions } from "./Breaker.ts"
import type { Headers } from "./Broker.ts"
import type { BatchFailure } from "./Batch.ts"
import type { AttemptFailure, Later, Reject } from "./BusError.ts"
import type { RateLimitOptions } from "./RateLimit.ts"
import type { RestartOptions } from "./Restarts.ts"
import type * as Retry from "./Retry.ts"

/** What the runtime knows about the delivery of an event. */
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
  /** With `idempotent`: grows with each claim of an event, so that a store can refuse who is late. */
  readonly fence: number | undefined
}

export type Handler<E extends Event.Any, Err, R> = (
  event: Envelope.Of<E>,
  delivery: DeliveryInfo
) => Effect.Effect<unknown, Err, R>

/** Gets events that came together, each of them with what is known of its delivery at the same index. */
export type BatchHandler<E extends Event.Any, Err, R> = (
  events: ReadonlyArray<Envelope.Of<E>>,
  deliveries: ReadonlyArray<DeliveryInfo>
) => Effect.Effect<unknown, Err, R>

/** How events are collected for a handler of batches. */
export interface BatchOptions {
  /** Events in a batch at most, 1 to 10,000. */
  readonly size: number
  /** Longest time that the first one waits for more, at most 5 minutes. */
  readonly within: Duration.Input
}

/** What the single events of a batch fail with. */
export type Single<Err> = Err extends BatchFailure<infer One> ? One : Err

/** Contracts, or the part of a group that matches a pattern. */
export type Events<E extends Event.Any> = ReadonlyArray<E> | EventGroup.Match<E>

/** One event at a time, or batches of them. */
export type SubscriberOptions<E extends Event.Any, Err, R> = SingleOptions<E, Err, R> | BatchedOptions<E, Err, R>

export interface SingleOptions<E extends Event.Any, Err, R> extends CommonOptions<E, Err> {
  readonly batch?: undefined
  /**
   * May fail with anything: that is a failed attempt. `Reject` dead-letters at once, `Later` puts the
   * event off without counting. Each delivery has a Scope of its own.
   */
  readonly handler: Handler<E, Err, R>
}

export interface BatchedOptions<E extends Event.Any, Err, R> extends CommonOptions<E, Err> {
  readonly batch: BatchOptions
  /**
   * A failure is one of each event of the batch; a `BatchFailure` of those alone that it names, the others
   * are handled (see `Batch.each`). Each batch has a Scope of its own. With `ordering: "key"` no two events
   * of a batch have the same key.
   */
  readonly handler: BatchHandler<E, Err, R>
}

export interface CommonOptions<E extends Event.Any, Err> {
  readonly events: Events<E>
  /** When a failed attempt is made again. Default: after 1, 2, 4, 8 and 16 seconds. */
  readonly retry?: Retry.RetryPolicy<Exclude<Single<Err>, Reject | Later> | AttemptFailure>
  /** Handlers at work at once. Default 16; with `batch` 1. */
  readonly concurrency?: number
  /**
   * `"key"`: events of one key one at a time and in order, other keys beside it. Part of the queue's
   * identity: changing it needs a new name. Default `"none"`.
   */
  readonly ordering?: "none" | "key"
  /**
   * With `ordering: "key"`, what becomes of an event that holds its key for more than 10 minutes, or half
   * of the prefetch window behind it: it is dead-lettered and the key goes on (default), or the key is
   * parked, in order, until the event is handled or given up. Only a parked key may wait for longer than
   * 10 minutes. At most 10,000 events and 32 MiB are parked of one subscriber.
   */
  readonly onBlocked?: "dead-letter" | "park"
  /** Longest time for one attempt, of one event or one batch. Default 60 seconds, well below the broker's 30 minutes. */
  readonly deadline?: Duration.Input
  /**
   * Deliveries held at once. Default: twice the concurrency, 32 to 250; 250 with `ordering: "key"`; at least what
   * the batches at work can hold.
   */
  readonly prefetch?: number
  /** What becomes of events that were not asked for (a binding of an older version). Default `"skip"`. */
  readonly unknown?: "skip" | "dead-letter"
  /** Whether other processes are told of its dead letters by `bus.event.dead-lettered`. Default true. */
  readonly announce?: boolean
  /**
   * Stops after failed attempts in a row instead of burning the attempts of the whole backlog, and probes
   * with one event now and then. Default: none.
   */
  readonly breaker?: BreakerOptions
  /** How often it may start again without progress. Default: 10 times in 10 minutes, then it stays Failed. */
  readonly restarts?: RestartOptions
  /** Attempts at most so many events in a time; more wait. Default: none. */
  readonly rateLimit?: RateLimitOptions
  /**
   * Handles an event once although it may come more often: what was handled is remembered for a day by
   * the store of the cache (Redis, or the process itself). Costs two commands an event. Default false.
   */
  readonly idempotent?: boolean
  /** With `idempotent`, while the store does not answer: handle all the same (default), or wait for it. */
  readonly onStoreDown?: "handle" | "wait"
  /** How often one event may be put off by `Later`. Default 100, and 24 hours since the first time. */
  readonly maxPostponed?: number
  /** Whether its spans are part of the publish's trace, or linked to it. Default: as the bus says. */
  readonly traceRelation?: "parent" | "link"
}

export const isMatch = <E extends Event.Any>(events: Events<E>): events is EventGroup.Match<E> => "pattern" in events

/** What a handler may need beside its own services: each delivery brings a Scope. */
export type Required<R> = Exclude<R, Scope.Scope>
