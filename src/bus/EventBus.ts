/**
 * The service: publish events, subscribe to them, and look at what fails. It stands on two ports, the
 * broker and the cache, and knows neither RabbitMQ nor Redis. What it does is in Assembly, which is loaded
 * when a layer is built: who only names the service does not wait for it.
 */
import { Context, type Duration, Effect, Layer, type Stream } from "effect"
import type * as Event from "../event/Event.ts"
import type * as Health from "../observe/Health.ts"
import type * as Trace from "../observe/Trace.ts"
import type { Broker } from "./Broker.ts"
import type { SubscribeError } from "./BusError.ts"
import type * as Door from "./Door.ts"
import type { EventCache } from "./EventCache.ts"
import type * as Failures from "./Failures.ts"
import type * as Publisher from "./Publisher.ts"
import type * as SubscriberOptions from "./SubscriberOptions.ts"
import type * as Subscribing from "./Subscribing.ts"
import type * as Subscription from "./Subscription.ts"
import type * as Tail from "./Tail.ts"
import type * as Tree from "./Tree.ts"
import type * as Watch from "./Watch.ts"

export interface BusOptions {
  /** The service that publishes: `source` of its events. Default `"service"`. */
  readonly source?: string
  /** Longest time until the outcome of a publish. Default 15 seconds. */
  readonly publishTimeout?: Duration.Input
  /** Events in flight to the broker. Default 1,000 events and 32 MiB. */
  readonly inFlight?: Partial<Door.Bounds>
  /** Longest time for a drain at the end. Default 25 seconds. */
  readonly drain?: Duration.Input
  /** `"declared-only"` refuses to publish events that declare no `publishers`. Default `"contracts"`. */
  readonly authorise?: "contracts" | "declared-only"
  /**
   * Whether spans of handling belong to the trace of the publish (`"parent"`, default), or each is a trace of
   * its own with a link to it (`"link"`): where one publish leads to thousands, or to work much later.
   */
  readonly traceRelation?: Trace.TraceRelation
}

export class EventBus extends Context.Service<
  EventBus,
  {
    /**
     * Succeeds when the broker holds the event safely for every queue it was routed to (P1).
     * Otherwise it fails with a `PublishError` whose reason says whether anything was sent (P2).
     */
    readonly publish: Publisher.Publisher["publish"]
    /** Publishes many, in order and pipelined; succeeds with their number, and stops at the first failure. */
    readonly publishAll: Publisher.Publisher["publishAll"]
    /** `Subscriber.layer` as a scoped Effect: ready when its queue is declared, bound and consumed. */
    readonly subscribe: Subscribing.Subscribe
    /**
     * A subscriber of this process alone, with a queue that is gone with it: for tails, websockets and
     * caches. It retries in the process only, drops what it cannot handle and misses what is published
     * while it is away: it is outside of P3.
     */
    readonly subscribeEphemeral: Subscribing.SubscribeEphemeral
    /** Live events from now on, outside of P3 like `subscribeEphemeral`. */
    readonly stream: <E extends Event.Any>(
      events: SubscriberOptions.Events<E>,
      options?: Tail.StreamOptions
    ) => Stream.Stream<Tail.Tail<E>, SubscribeError>
    /** The last known event of a key and then its live changes: each newer than the one before it, none twice. */
    readonly watch: Watch.Watch
    /** Retries and dead-letterings of this process, live; a slow reader misses some. */
    readonly failures: Stream.Stream<Failures.BusFailure>
    /** Everything that runs here at this moment, as data. */
    readonly tree: Effect.Effect<Tree.BusTree>
    /** The subscribers of this process. */
    readonly subscriptions: Effect.Effect<ReadonlyArray<Subscription.Subscription>>
    /** What health looks at. */
    readonly probes: Effect.Effect<ReadonlyArray<Health.Probe>>
    /** Stops publishing from outside of handlers and drains every subscriber. True when nothing was cut off. */
    readonly drain: Effect.Effect<boolean>
  }
>()("@eduflow/events/bus/EventBus") {
  static readonly layerWith = (options: BusOptions): Layer.Layer<EventBus, never, Broker | EventCache> =>
    Layer.unwrap(
      Effect.map(
        Effect.promise(() => import("./Assembly.ts")),
        (assembly) => assembly.layerWith(options)
      )
    )

  static readonly layer: Layer.Layer<EventBus, never, Broker | EventCache> = Layer.suspend(() => EventBus.layerWith({}))
}
