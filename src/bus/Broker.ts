/**
 * PORT: what the bus needs of a broker. An adapter (RabbitMQ, memory) implements it and passes
 * `test/suites/BrokerSuite.ts`.
 *
 * The three calls of every event (send, onDelivery, ack) are plain synchronous functions with
 * callbacks: they cost no fiber. Everything that runs rarely is an Effect.
 */
import { Context, type Effect, type Scope, type SubscriptionRef } from "effect"
import type { Body } from "../event/Body.ts"
import type { BrokerError } from "./BrokerError.ts"

/** Where a message goes. Adapters translate it into exchanges and routing keys. */
export type Address =
  /** Every subscriber that is bound to the event. */
  | { readonly _tag: "Event"; readonly name: string }
  /** The same, when `seconds` (1 to 2^20-1, whole) have passed. */
  | { readonly _tag: "DelayedEvent"; readonly name: string; readonly seconds: number }
  /** One subscriber, when `seconds` (0 to 2^20-1, whole) have passed. 0 is at once. */
  | { readonly _tag: "Subscriber"; readonly name: string; readonly seconds: number }
  /** The dead-letter queue of a subscriber. */
  | { readonly _tag: "DeadLetter"; readonly subscriber: string }
  /** The queue of a keyed subscriber's events whose key waits. */
  | { readonly _tag: "Parked"; readonly subscriber: string }

/** The longest delay that one pass through the broker can wait, in seconds (12 days). */
export const maxDelaySeconds = 2 ** 20 - 1

export type HeaderValue = string | number | boolean
export type Headers = Readonly<Record<string, HeaderValue>>

/** Native message properties: a copy of the envelope for tools. The body is the event. */
export interface Properties {
  readonly messageId: string
  readonly type: string
  /** Milliseconds since the epoch; brokers keep whole seconds of it. */
  readonly timestamp: number
  readonly appId: string
  readonly correlationId?: string | undefined
  readonly contentType: string
}

export interface Outgoing {
  readonly to: Address
  /** Messages of one key keep their order, in one channel; without a key any channel will do. */
  readonly key: string | undefined
  readonly body: Body
  readonly properties: Properties
  readonly headers: Headers
}

/** What became of one send. A value, never a throw: `done` is called exactly once for each send. */
export type SendOutcome =
  /** The broker holds it safely for every queue it was routed to; `routed` is whether there was one. */
  | { readonly _tag: "Confirmed"; readonly routed: boolean }
  /** The broker answered with a nack; other queues of a fan-out may hold it. */
  | { readonly _tag: "Rejected" }
  /** Nothing was sent. */
  | { readonly _tag: "NotSent"; readonly error: BrokerError }
  /** It was sent and the answer is lost: it may be stored. */
  | { readonly _tag: "Lost" }

/** A message received. It carries its acknowledger, so that every part of the runtime can settle it. */
export interface Delivery {
  readonly body: Body
  readonly properties: {
    readonly messageId: string | undefined
    readonly type: string | undefined
    readonly timestamp: number | undefined
    readonly appId: string | undefined
    readonly correlationId: string | undefined
    readonly contentType: string | undefined
  }
  /** Received headers in a record without a prototype; values as the broker gave them. */
  readonly headers: Readonly<Record<string, unknown>>
  /**
   * Whether the runtime itself sent it to this subscriber (retry, postponement, replay, parking): only
   * then are its `bus-*` headers believed (P15).
   */
  readonly trusted: boolean
  /** The subscriber that the runtime sent it to; absent for events. */
  readonly recipient?: string | undefined
  readonly redelivered: boolean
  /** How often it came back unsettled; 0 unless `redelivered`. */
  readonly deliveryCount: number
  /** Event name it was routed by, for undecodable bodies; undefined for copies. */
  readonly routingKey: string
  /** Settles it. Never throws; a second call, or one after the channel is gone, does nothing and is counted. */
  readonly ack: () => void
  /** Whether its channel is gone: it cannot be settled any more and will come again. */
  readonly lost: () => boolean
}

/** A subscriber as the broker knows it. */
export interface SubscriberSpec {
  readonly name: string
  readonly ordering: "none" | "key"
  /** Topic patterns or plain event names. */
  readonly patterns: ReadonlyArray<string>
  /** Whether it has a queue for the events of keys that wait. Default false. */
  readonly parking?: boolean
}

/** Of a subscriber: its own, or the one of its parked events. */
export type QueueKind = "own" | "parked"

export interface ConsumeOptions {
  readonly subscriber: string
  /** Default `"own"`. */
  readonly queue?: QueueKind
  readonly prefetch: number
  /** Called for each message, in order. Must not throw; it only enqueues. */
  readonly onDelivery: (delivery: Delivery) => void
  /** Called at most once, when the consumer ended without being asked to. */
  readonly onLost: (error: BrokerError) => void
}

/** A live consumer. Its scope's end closes it; unsettled deliveries go back in order. */
export interface Consumer {
  /** Stops new deliveries and returns when none can come any more; what was delivered stays ours. */
  readonly cancel: Effect.Effect<void, BrokerError>
}

/** Messages of a dead-letter queue, held until they are acked or the scope ends. */
export interface DeadLetterReader {
  /** How many there were when the reader was opened: the bound of a listing or a replay. */
  readonly count: number
  /** The next one, or undefined when there is none. */
  readonly next: Effect.Effect<Delivery | undefined, BrokerError>
}

/** `undeliverable` holds delayed events that nobody wanted when they were due. */
export type DeadLetterSource =
  | { readonly _tag: "Subscriber"; readonly name: string }
  | { readonly _tag: "Undeliverable" }

export interface Depth {
  readonly ready: number
  readonly consumers: number
}

/** What the publishing side can do now. */
export type BrokerStatus =
  | { readonly _tag: "Connecting"; readonly since: number; readonly error: BrokerError | undefined }
  | { readonly _tag: "Up"; readonly since: number }
  /** The broker asked to stop publishing: memory or disk alarm. */
  | { readonly _tag: "Blocked"; readonly since: number; readonly detail: string }
  | { readonly _tag: "Closed"; readonly since: number }

/** One thing to look at for health; the bus composes them. */
export interface BrokerProbe {
  readonly name: string
  readonly check: Effect.Effect<{ readonly status: "up" | "degraded" | "down"; readonly detail: string }>
}

/** What an adapter can and cannot do; suites skip by it and health tells it. */
export interface BrokerFeatures {
  readonly transport: "memory" | "amqp"
  /** Whether messages survive the broker's restart. */
  readonly persistent: boolean
  /** Whether the broker is another process, which can go away. */
  readonly remote: boolean
  /** Its address, where there is one only. */
  readonly server?: { readonly address: string; readonly port: number } | undefined
}

export class Broker extends Context.Service<
  Broker,
  {
    readonly namespace: string
    readonly features: BrokerFeatures
    /** State of the publishing side: the gate of the publisher is open while it is `Up`. */
    readonly status: SubscriptionRef.SubscriptionRef<BrokerStatus>
    /**
     * Sends one message, mandatory, persistent and confirmed. Synchronous, never throws; `done` may be
     * called within the call. Messages of one key are stored in the order of the calls.
     */
    readonly send: (message: Outgoing, done: (outcome: SendOutcome) => void) => void
    /** Declares a subscriber's queues and bindings. Idempotent. */
    readonly declare: (spec: SubscriberSpec) => Effect.Effect<void, BrokerError>
    readonly consume: (options: ConsumeOptions) => Effect.Effect<Consumer, BrokerError, Scope.Scope>
    /** Consumes from a queue of its own that is gone with the consumer. */
    readonly consumeEphemeral: (
      options: Omit<ConsumeOptions, "subscriber"> & { readonly patterns: ReadonlyArray<string> }
    ) => Effect.Effect<Consumer, BrokerError, Scope.Scope>
    /** Default `"own"`. A consumer that is gone is not counted, and what it held is ready again. */
    readonly depth: (subscriber: string, queue?: QueueKind) => Effect.Effect<Depth, BrokerError>
    readonly deadLetterDepth: (source: DeadLetterSource) => Effect.Effect<number, BrokerError>
    readonly readDeadLetters: (source: DeadLetterSource) => Effect.Effect<DeadLetterReader, BrokerError, Scope.Scope>
    readonly probes: ReadonlyArray<BrokerProbe>
  }
>()("@eduflow/events/bus/Broker") {}
