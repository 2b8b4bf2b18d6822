/**
 * The service: publish events, subscribe to them, and see what fails. It stands on two ports, the broker and
 * the cache, and knows neither RabbitMQ nor Redis. EventBusMake implements it and is loaded when a layer is
 * built: code that only names the service does not pay for loading it.
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Stream from "effect/Stream"
import type * as Event from "../event/Event.ts"
import { checkRuntime } from "../event/DuplicateEffect.ts"
import * as SchemaModule from "../event/SchemaModule.ts"
import type * as Trace from "../observe/Trace.ts"
import * as OptionInvalid from "../event/options/OptionInvalid.ts"
import type { KindsOf } from "../event/options/OptionKinds.ts"
import type { BusInternals } from "./BusInternals.ts"
import { kinds } from "./EventBusOptionKinds.ts"
import type * as FailureFeed from "./delivery/FailureFeed.ts"
import type { Broker, BrokerStatus } from "./port/Broker.ts"
import type { CacheStore } from "./port/CacheStore.ts"
import type * as Publisher from "./publish/Publisher.ts"
import type * as LiveStream from "./read/LiveStream.ts"
import type * as WatchStream from "./read/WatchStream.ts"
import type * as Recurrences from "./recurring/Recurrences.ts"
import type * as Replier from "./request/Replier.ts"
import type * as Requests from "./request/Requests.ts"
import type * as InFlightLimit from "./send/InFlightLimit.ts"
import type { SubscribeError } from "./subscriber/SubscribeError.ts"
import type * as SubscriberOptions from "./subscriber/SubscriberOptions.ts"
import type * as Subscription from "./subscriber/Subscription.ts"

export class EventBus extends Context.Service<
  EventBus,
  {
    /**
     * Succeeds when the broker has stored the event for every queue it was routed to. Otherwise it fails with a
     * `PublishError`, whose reason says whether anything was sent: every publish has exactly one outcome.
     */
    readonly publish: Publisher.Publisher["publish"]
    /**
     * Publishes many events, in order and pipelined. Returns their number; stops at the first failure. An event that a
     * queue rejects after a later one of its key was sent fails the call as `Rejected`, so that what is stored of a key is
     * in the order given. Without a later one it keeps its place and is sent again.
     */
    readonly publishAll: Publisher.Publisher["publishAll"]
    /**
     * Publishes a request and waits for the first answer to it. Fails with the error that the replier answered, or with a
     * `RequestError`, whose reason says why there is no answer. Like every event a request may be handled more than once.
     */
    readonly request: Requests.Requests["request"]
    /** The same for the answers of several subscribers: those that come within a time. */
    readonly requestAll: Requests.Requests["requestAll"]
    /** `Subscriber.reply` as a scoped Effect. */
    readonly reply: Replier.StartReply
    /** `Recurring.layer` as a scoped Effect: ready when its queue is declared and consumed. */
    readonly recurring: Recurrences.StartRecurring
    /** `Subscriber.layer` as a scoped Effect: ready when its queue is declared, bound and consumed. */
    readonly subscribe: SubscriberOptions.Subscribe
    /**
     * A subscriber of this process alone, whose queue is deleted with it: for live views, websockets and caches.
     * It retries in the process only, drops what it cannot handle and misses what is published while it is
     * away. Events are not guaranteed to be handled.
     */
    readonly subscribeEphemeral: SubscriberOptions.SubscribeEphemeral
    /** Live events from now on. Events are not guaranteed to arrive, as with `subscribeEphemeral`. */
    readonly stream: <E extends Event.Any>(
      events: SubscriberOptions.Events<E>,
      options?: EventBus.StreamOptions
    ) => Stream.Stream<EventBus.StreamItem<E>, SubscribeError>
    /** The last known event of a key and then its live changes. Each is newer than the one before; none comes twice. */
    readonly watch: WatchStream.WatchStream
    /** Retries and dead letters of this process, live; a slow reader misses some. */
    readonly failures: Stream.Stream<FailureFeed.BusFailure>
    /** Everything that runs in this bus at this moment, as data. */
    readonly tree: Effect.Effect<EventBus.Tree>
    /** Stops publishing from outside of handlers and drains every subscriber. Returns whether all work finished in time. */
    readonly drain: Effect.Effect<boolean>
  }
>()("@eduflow/events/bus/EventBus") {
  static readonly layerWith = (options: EventBus.Options): Layer.Layer<EventBus, never, Broker | CacheStore> =>
    Layer.suspend(() => {
      OptionInvalid.check("EventBus.layerWith", options, kinds satisfies KindsOf<EventBus.Options>)
      return layerWithInternals(options)
    })

  static readonly layer: Layer.Layer<EventBus, never, Broker | CacheStore> = Layer.suspend(() => EventBus.layerWith({}))
}

export declare namespace EventBus {
  export interface Options {
    /** The service that publishes: `source` of its events. Default `"service"`. */
    readonly source?: string
    /** Longest time until the outcome of a publish. Default 15 seconds. */
    readonly publishTimeout?: Duration.Input
    /** Events in flight to the broker. Default 1,000 events and 32 MiB. */
    readonly inFlight?: Partial<InFlightLimit.Bounds>
    /** Longest time for a drain at the end. Default 25 seconds. */
    readonly drainTimeout?: Duration.Input
    /** `"declared-only"` refuses to publish events that declare no `publishers`. Default `"contracts"`. */
    readonly authorise?: "contracts" | "declared-only"
    /**
     * Whether spans of handling belong to the trace of the publish (`"parent"`, default), or each is a trace of
     * its own with a link to it (`"link"`): for publishes that lead to thousands of deliveries or to work much later.
     */
    readonly traceRelation?: Trace.TraceRelation
    /**
     * Contracts that the service publishes. With Redis, the start then warns of subscribers in other processes that do not
     * know these versions yet. Contracts that are not listed are looked at when the first event of them is published.
     */
    readonly publishes?: ReadonlyArray<Event.Any>
  }

  /** What an in-flight limit admits and what waits for it. */
  export interface InFlight {
    readonly inFlight: number
    readonly bytes: number
    readonly waiting: number
  }

  export interface Tree {
    readonly source: string
    readonly namespace: string
    readonly broker: BrokerStatus
    /** Publishes in flight, and those that wait for the in-flight limit. */
    readonly publishing: InFlight
    /** Copies for retries and dead letters in flight, and those that wait. */
    readonly settling: InFlight
    readonly subscribers: ReadonlyArray<Subscription.SubscriberTree>
  }

  export type StreamOptions = LiveStream.StreamOptions
  export type StreamItem<E extends Event.Any> = LiveStream.StreamItem<E>
}

/** The bus together with the parts that health and the test kit look at. */
export const layerWithInternals = (
  options: EventBus.Options
): Layer.Layer<EventBus | BusInternals, never, Broker | CacheStore> =>
  Layer.unwrap(
    Effect.map(
      Effect.andThen(
        checkRuntime,
        Effect.promise(() => Promise.all([import("./EventBusMake.ts"), SchemaModule.load()]))
      ),
      ([maker]) => maker.layerWith(options)
    )
  )
