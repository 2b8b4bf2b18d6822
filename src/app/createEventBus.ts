/**
 * The bus for code without Effect: Promises in and out, `await using` ends it. It is the same bus: the
 * same promises, errors and objects on the broker.
 */
import { Effect, Exit, ManagedRuntime, Scope } from "effect"
import { type Actor, CurrentActor } from "../event/Actor.ts"
import type * as Envelope from "../event/Envelope.ts"
import type * as Event from "../event/Event.ts"
import { DeadLetters, type Source } from "../bus/DeadLetters.ts"
import type * as Letters from "../bus/DeadLetters.ts"
import { EventBus } from "../bus/EventBus.ts"
import { EventCache, type HistoryOptions } from "../bus/EventCache.ts"
import type { PublishOptions } from "../bus/PublishOptions.ts"
import type { Confirmed } from "../bus/PublishOptions.ts"
import type { BatchedOptions, DeliveryInfo, SingleOptions, SubscriberOptions } from "../bus/SubscriberOptions.ts"
import type { SubscriberStats } from "../bus/Subscription.ts"
import { Health, type Report } from "../observe/Health.ts"
import { eventBusLive, type LiveOptions } from "./Live.ts"

export type PromiseSubscriberOptions<E extends Event.Any> = PromiseSingleOptions<E> | PromiseBatchedOptions<E>

export interface PromiseSingleOptions<E extends Event.Any> extends Omit<SingleOptions<E, unknown, never>, "handler"> {
  /** Throwing is a failed attempt; throw `Reject` or `Later` to say more. `signal` aborts at the deadline and at the end. */
  readonly handler: (
    event: Envelope.Of<E>,
    delivery: DeliveryInfo & { readonly signal: AbortSignal }
  ) => Promise<unknown> | unknown
}

export interface PromiseBatchedOptions<E extends Event.Any> extends Omit<BatchedOptions<E, unknown, never>, "handler"> {
  /** Throwing is a failed attempt of each event, a `BatchFailure` of those that it names. */
  readonly handler: (
    events: ReadonlyArray<Envelope.Of<E>>,
    batch: { readonly deliveries: ReadonlyArray<DeliveryInfo>; readonly signal: AbortSignal }
  ) => Promise<unknown> | unknown
}

export interface PromiseSubscription extends AsyncDisposable {
  readonly name: string
  readonly stats: () => Promise<SubscriberStats>
  /** Finishes what runs and gives back the rest; true when nothing was cut off. */
  readonly drain: () => Promise<boolean>
}

/** The event bus as Promises. Failures reject with the same errors as in Effect: `PublishError` and so on. */
export interface PromiseEventBus extends AsyncDisposable {
  readonly publish: <A>(
    event: Event.Event<string, A>,
    data: NoInfer<A>,
    options?: PublishOptions & { readonly actor?: Actor }
  ) => Promise<Confirmed>
  readonly publishAll: <A>(event: Event.Event<string, A>, items: Iterable<NoInfer<A>>) => Promise<number>
  readonly subscribe: {
    <E extends Event.Any>(name: string, options: PromiseBatchedOptions<E>): Promise<PromiseSubscription>
    <E extends Event.Any>(name: string, options: PromiseSubscriberOptions<E>): Promise<PromiseSubscription>
  }
  readonly last: <Name extends string, A>(
    event: Event.Event<Name, A>,
    key?: string
  ) => Promise<Envelope.Envelope<Name, A> | undefined>
  readonly history: <Name extends string, A>(
    event: Event.Event<Name, A>,
    options?: HistoryOptions
  ) => Promise<ReadonlyArray<Envelope.Envelope<Name, A>>>
  readonly deadLetters: {
    readonly count: (source: Source) => Promise<number>
    readonly list: (source: Source, options?: Letters.ListOptions) => Promise<ReadonlyArray<Letters.DeadLetter>>
    readonly replay: (source: Source, options?: Letters.ReplayOptions) => Promise<Letters.ReplayReport>
    readonly discard: (source: Source, options: Letters.DiscardOptions) => Promise<Letters.DiscardReport>
  }
  readonly health: () => Promise<Report>
  /** Drains and disconnects. */
  readonly close: () => Promise<void>
}

/**
 * Connects, or rejects with a `BrokerError` that says what to do.
 *
 * @example
 * ```ts
 * import { createEventBus, Event } from "@eduflow/events"
 * import { Schema } from "effect"
 *
 * const Posted = Event.make("social.post.created", { version: 1, data: Schema.Struct({ text: Schema.String }) })
 *
 * export const run = async () => {
 *   await using bus = await createEventBus({ url: "memory://", source: "social" })
 *   await bus.subscribe("notification.posts", { events: [Posted], handler: (event) => event.data.text })
 *   await bus.publish(Posted, { text: "hello" })
 * }
 * ```
 */
export const createEventBus = async (options: LiveOptions): Promise<PromiseEventBus> => {
  const runtime = ManagedRuntime.make(eventBusLive(options))
  const context = await runtime.context()
  const run = <A, E>(effect: Effect.Effect<A, E, EventBus | EventCache | DeadLetters | Health>): Promise<A> =>
    Effect.runPromiseWith(context)(effect)
  const open = new Set<Scope.Closeable>()
  const end = async (scope: Scope.Closeable): Promise<void> => {
    open.delete(scope)
    await run(Scope.close(scope, Exit.void))
  }
  const close = async (): Promise<void> => {
    await Promise.all([...open].map(end))
    await runtime.dispose()
  }

  return {
    publish: (event, data, { actor, ...options } = {}) => {
      const published = Effect.flatMap(EventBus, (bus) => bus.publish(event, data, options))
      return run(actor === undefined ? published : Effect.provideService(published, CurrentActor, actor))
    },
    publishAll: (event, items) => run(Effect.flatMap(EventBus, (bus) => bus.publishAll(event, items))),
    subscribe: async <E extends Event.Any>(name: string, options: PromiseSubscriberOptions<E>) => {
      const scope = Scope.makeUnsafe()
      const subscribed = Effect.flatMap(EventBus, (bus) => bus.subscribe(name, withEffect(options)))
      open.add(scope)
      const subscription = await run(
        Scope.provide(subscribed, scope).pipe(Effect.onError(() => Scope.close(scope, Exit.void)))
      )
      return {
        name,
        stats: () => run(subscription.stats),
        drain: () => run(subscription.drain),
        [Symbol.asyncDispose]: () => end(scope)
      }
    },
    last: async (event, key) => {
      const found = await run(Effect.flatMap(EventCache, (cache) => cache.last(event, key)))
      return found._tag === "Some" ? found.value : undefined
    },
    history: (event, options) => run(Effect.flatMap(EventCache, (cache) => cache.history(event, options))),
    deadLetters: {
      count: (source) => run(Effect.flatMap(DeadLetters, (letters) => letters.count(source))),
      list: (source, options) => run(Effect.flatMap(DeadLetters, (letters) => letters.list(source, options))),
      replay: (source, options) => run(Effect.flatMap(DeadLetters, (letters) => letters.replay(source, options))),
      discard: (source, options) => run(Effect.flatMap(DeadLetters, (letters) => letters.discard(source, options)))
    },
    health: () => run(Effect.flatMap(Health, (health) => health.report)),
    close,
    [Symbol.asyncDispose]: close
  }
}

const withEffect = <E extends Event.Any>(
  options: PromiseSubscriberOptions<E>
): SubscriberOptions<E, unknown, never> => {
  if (options.batch === undefined) {
    const { handler } = options
    return { ...options, handler: (event, delivery) => attempt((signal) => handler(event, { ...delivery, signal })) }
  }
  const { handler } = options
  const batched: BatchedOptions<E, unknown, never> = {
    ...options,
    handler: (events, deliveries) => attempt((signal) => handler(events, { deliveries, signal }))
  }
  return batched
}

/** What a Promise rejects with is anything: that is the error of the attempt. */
const attempt = (run: (signal: AbortSignal) => unknown): Effect.Effect<unknown, unknown> =>
  // @effect-diagnostics-next-line unknownInEffectCatch:off
  Effect.tryPromise({ try: async (signal) => run(signal), catch: (error) => error })
