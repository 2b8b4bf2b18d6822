/**
 * Subscribing with Promises: handlers are functions, and a subscription ends with `await using`.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Predicate from "effect/Predicate"
import * as Scope from "effect/Scope"
import * as SubscriptionRef from "effect/SubscriptionRef"
import { EventBus } from "../../bus/EventBus.ts"
import type { RecurringOptions } from "../../bus/recurring/RecurringOptions.ts"
import type { SubscribeError } from "../../bus/subscriber/SubscribeError.ts"
import { madeOf } from "../../bus/subscriber/WrittenHandler.ts"
import type {
  BatchedOptions,
  BatchHandler,
  DeliveryInfo,
  GapOptions,
  Handler,
  SingleOptions,
  SubscriberOptions
} from "../../bus/subscriber/SubscriberOptions.ts"
import type {
  SubscriberStats,
  SubscriberStatus,
  SubscriberTree,
  Subscription
} from "../../bus/subscriber/Subscription.ts"
import type * as Envelope from "../../event/Envelope.ts"
import type * as Event from "../../event/Event.ts"
import type { Services } from "../Live.ts"
import * as CallerStack from "./CallerStack.ts"
import { type PromiseReplyOptions, replier } from "./PromiseRequest.ts"
import type { PromiseRun } from "./PromiseRun.ts"

export type PromiseSubscriberOptions<E extends Event.Any> = PromiseSingleOptions<E> | PromiseBatchedOptions<E>

export interface PromiseSingleOptions<E extends Event.Any> extends Omit<
  SingleOptions<E, unknown, never>,
  "handler" | "inbox"
> {
  /**
   * Throwing is a failed attempt. Throw `Reject` to dead-letter the event at once, `Later` to postpone it. `signal`
   * aborts at the deadline and when the subscription ends. An Effect that it returns is run, with the services of the
   * bus, as part of the attempt.
   */
  readonly handler: (
    event: Envelope.Of<E>,
    delivery: DeliveryInfo & { readonly signal: AbortSignal }
  ) => Promise<unknown> | unknown
}

export interface PromiseBatchedOptions<E extends Event.Any> extends Omit<
  BatchedOptions<E, unknown, never>,
  "handler" | "inbox"
> {
  /**
   * Throwing is a failed attempt of every event; throwing a `BatchFailure`, only of the events it names. An Effect that
   * it returns, such as `Batch.each(…)`, is run as part of the attempt.
   */
  readonly handler: (
    events: ReadonlyArray<Envelope.Of<E>>,
    batch: { readonly deliveries: ReadonlyArray<DeliveryInfo>; readonly signal: AbortSignal }
  ) => Promise<unknown> | unknown
}

/** A subscriber that is ready. It ends when it is disposed of, or with the bus. */
export interface PromiseSubscription extends AsyncDisposable {
  readonly name: string
  readonly status: () => Promise<SubscriberStatus>
  /** The status now and each change of it. */
  readonly statusChanges: () => AsyncIterable<SubscriberStatus>
  readonly stats: () => Promise<SubscriberStats>
  /** Status, figures, lag and lanes at this moment. */
  readonly tree: () => Promise<SubscriberTree>
  /** Starts no handler until `resume`; running handlers finish. */
  readonly pause: () => Promise<void>
  /** Starts handlers again, with the deliveries that were held first. */
  readonly resume: () => Promise<void>
  /** Lets a parked key, or every parked key, continue before its time. Rejects where nothing can be parked. */
  readonly release: (key?: string) => Promise<void>
  /** How many handlers may run at once from now on. More than the prefetch has no effect. */
  readonly setConcurrency: (count: number) => Promise<void>
  /** Finishes what runs and returns the rest to the queue. Resolves to true when nothing was cut off. */
  readonly drain: () => Promise<boolean>
  /** Ends at once: running handlers are aborted and their events return to the queue, which is no failed attempt. */
  readonly stop: () => Promise<void>
}

export interface PromiseSubscribe {
  /**
   * Starts a subscriber; resolves when its queue is declared, bound and consumed. Rejects with a `SubscribeError`
   * when an option cannot work or the queue on the broker was declared differently.
   */
  readonly subscribe: {
    <E extends Event.Any>(name: string, options: PromiseBatchedOptions<E>): Promise<PromiseSubscription>
    <E extends Event.Any>(name: string, options: PromiseSubscriberOptions<E>): Promise<PromiseSubscription>
  }
  /**
   * Starts a subscriber that answers requests; resolves when it is ready, like `subscribe`.
   *
   * @example
   * ```ts
   * import { Event, type PromiseEventBus } from "@eduflow/events"
   * import { Schema } from "effect"
   *
   * const SeatsLeft = Event.request("academic.course.seats-left", {
   *   version: 1,
   *   data: Schema.Struct({ courseId: Schema.String }),
   *   reply: Schema.Struct({ seats: Schema.Int })
   * })
   *
   * export const start = (bus: PromiseEventBus) =>
   *   bus.reply("academic.seats", { to: SeatsLeft, handler: async ({ data }) => ({ seats: data.courseId.length }) })
   * ```
   */
  readonly reply: <Q extends Event.AnyRequest>(
    name: string,
    options: PromiseReplyOptions<Q>
  ) => Promise<PromiseSubscription>
  /**
   * Publishes an event at the times of a cron expression, once for each, however many processes do this; resolves when it has
   * begun. A tick has the same event id from every process.
   *
   * @example
   * ```ts
   * import { Event, type PromiseEventBus } from "@eduflow/events"
   * import { Schema } from "effect"
   *
   * const MonthEnded = Event.make("billing.month.ended", { version: 1, data: Schema.Struct({ at: Schema.String }) })
   *
   * export const start = (bus: PromiseEventBus) =>
   *   bus.recurring("billing.month-end", {
   *     event: MonthEnded,
   *     cron: "0 6 1 * *",
   *     timeZone: "Europe/Berlin",
   *     data: (tick) => ({ at: tick.toISOString() })
   *   })
   * ```
   */
  readonly recurring: <E extends Event.Any>(name: string, options: RecurringOptions<E>) => Promise<PromiseRecurring>
  /**
   * A subscriber of this process alone, whose queue ends with it: for websockets and caches. It retries in the
   * process only, drops what it cannot handle, and misses events while it is away.
   */
  readonly subscribeEphemeral: {
    <E extends Event.Any>(options: PromiseBatchedOptions<E> & GapOptions): Promise<PromiseSubscription>
    <E extends Event.Any>(options: PromiseSubscriberOptions<E> & GapOptions): Promise<PromiseSubscription>
  }
}

/** A recurring event that this process takes part in. Disposing of it ends that; another process goes on, or nobody. */
export interface PromiseRecurring extends AsyncDisposable {
  readonly name: string
}

/** `closeAll` ends the subscriptions that are open, together. */
export const make = (promises: PromiseRun): PromiseSubscribe & { readonly closeAll: () => Promise<void> } => {
  const { attempt, run } = promises
  const open = new Set<Scope.Closeable>()
  const end = async (scope: Scope.Closeable): Promise<void> => {
    open.delete(scope)
    await run(Scope.close(scope, Exit.void))
  }
  const begin = async <A, B>(
    begun: Effect.Effect<A, SubscribeError, Services | Scope.Scope>,
    site: CallerStack.CallSite,
    as: (value: A, end: () => Promise<void>) => B
  ): Promise<B> => {
    const scope = Scope.makeUnsafe()
    open.add(scope)
    try {
      return as(await run(Scope.provide(begun, scope), { site }), () => end(scope))
    } catch (error) {
      await end(scope)
      throw error
    }
  }
  const start = (
    subscribed: Effect.Effect<Subscription, SubscribeError, Services | Scope.Scope>,
    site: CallerStack.CallSite
  ): Promise<PromiseSubscription> => begin(subscribed, site, (subscription, end) => handle(promises, subscription, end))
  const withEffect = <E extends Event.Any>(
    options: PromiseSubscriberOptions<E>
  ): SubscriberOptions<E, unknown, never> => {
    const given: unknown = options
    if (!Predicate.isObject(given) || !Predicate.isFunction(given["handler"])) {
      // Callers without types may pass anything: the bus refuses it.
      return given as SubscriberOptions<E, unknown, never>
    }
    if (options.batch === undefined) {
      const { handler } = options
      return {
        ...options,
        handler: madeOf<Handler<E, unknown, never>>(
          (event, delivery) => attempt((signal) => handler(event, { ...delivery, signal })),
          handler
        )
      }
    }
    const { handler } = options
    return {
      ...options,
      handler: madeOf<BatchHandler<E, unknown, never>>(
        (events, deliveries) => attempt((signal) => handler(events, { deliveries, signal })),
        handler
      )
    } satisfies BatchedOptions<E, unknown, never>
  }

  return {
    subscribe: <E extends Event.Any>(name: string, options: PromiseSubscriberOptions<E>) =>
      start(
        Effect.flatMap(EventBus, (bus) => bus.subscribe(name, withEffect(options))),
        CallerStack.here()
      ),
    reply: (name, options) => start(replier(promises, name, options), CallerStack.here()),
    subscribeEphemeral: <E extends Event.Any>(options: PromiseSubscriberOptions<E> & GapOptions) =>
      start(
        Effect.flatMap(EventBus, (bus) => bus.subscribeEphemeral(withEffect(options))),
        CallerStack.here()
      ),
    recurring: (name, options) =>
      begin(
        Effect.flatMap(EventBus, (bus) => bus.recurring(name, options)),
        CallerStack.here(),
        (_, end) => ({ name, [Symbol.asyncDispose]: end })
      ),
    closeAll: async () => void (await Promise.all([...open].map(end)))
  }
}

const handle = (
  { iterate, run }: PromiseRun,
  subscription: Subscription,
  end: () => Promise<void>
): PromiseSubscription => ({
  name: subscription.name,
  status: () => run(SubscriptionRef.get(subscription.status)),
  statusChanges: () => iterate(SubscriptionRef.changes(subscription.status)),
  stats: () => run(subscription.stats),
  tree: () => run(subscription.tree),
  pause: () => run(subscription.pause),
  resume: () => run(subscription.resume),
  release: (key) => run(subscription.release(key)),
  setConcurrency: (count) => run(subscription.setConcurrency(count)),
  drain: () => run(subscription.drain),
  stop: () => run(subscription.stop),
  [Symbol.asyncDispose]: end
})
