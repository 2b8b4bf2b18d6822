/**
 * PORT: what the bus needs of a broker. An adapter (RabbitMQ, memory) implements it and passes the conformance
 * suite for brokers.
 *
 * The three calls of every event (`send`, `onDelivery`, `ack`) are plain synchronous functions: they cost no fiber.
 * Everything that runs rarely is an Effect.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as SubscriptionRef from "effect/SubscriptionRef"
import type { Body } from "../../event/Body.ts"
import type { InvalidEvent, UnknownEvent } from "../../event/EventError.ts"
import type { BrokerError } from "./BrokerError.ts"
import type { ForeignPlaces, ForeignRoute } from "./ForeignPlace.ts"
import type { SendOutcome } from "./SendOutcome.ts"

export type { SendOutcome }

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
  /** An exchange of another system; with the empty name, its queue with the name of the routing key. */
  | { readonly _tag: "Foreign"; readonly exchange: string; readonly routingKey: string }

/** The longest delay that one pass through the broker can wait, in seconds (12 days). */
export const maxDelaySeconds = 2 ** 20 - 1

export type HeaderValue = string | number | boolean
export type Headers = Readonly<Record<string, HeaderValue>>

/** Native message properties: a copy of the envelope, for tools. The body is the event. */
export interface Properties {
  readonly messageId: string
  readonly type: string
  /** Milliseconds since the epoch; brokers keep whole seconds of it. */
  readonly timestamp: number
  readonly appId: string
  readonly correlationId?: string | undefined
  readonly contentType: string
  /** That of the original, on a copy. Bodies of the library are UTF-8 text, and not encoded. */
  readonly contentEncoding?: string | undefined
}

export interface Outgoing {
  readonly to: Address
  /** Messages of one key keep their order. Without a key there is no order to keep. */
  readonly key: string | undefined
  readonly body: Body
  readonly properties: Properties
  readonly headers: Headers
}

/**
 * A message on its way through an adapter. The publish, or the copy of a delivery, is this record itself, so
 * that an adapter keeps no closure for each message.
 */
export interface InFlightMessage {
  readonly message: Outgoing
  /** Called exactly once for each `send`, possibly within the call of `send`. Never throws. */
  readonly answered: (outcome: SendOutcome) => void
}

/** A message that calls a function with its outcome. */
export const inFlight = (message: Outgoing, answered: (outcome: SendOutcome) => void): InFlightMessage => ({
  message,
  answered
})

/** A received message. It carries its own `ack`, so that every part of the runtime can settle it. */
export interface Delivery {
  readonly body: Body
  readonly properties: {
    readonly messageId: string | undefined
    readonly type: string | undefined
    readonly timestamp: number | undefined
    readonly appId: string | undefined
    readonly correlationId: string | undefined
    readonly contentType: string | undefined
    readonly contentEncoding?: string | undefined
  }
  /** Received headers in a record without a prototype; values as the broker gave them. */
  readonly headers: Readonly<Record<string, unknown>>
  /** How many headers of an event were not kept, because they exceed the bounds; absent when all were. */
  readonly droppedHeaders?: number | undefined
  /**
   * Whether the runtime itself sent it to this subscriber (retry, postponement, replay, parking). Only then are
   * its `bus-*` headers believed, so that outside input forges nothing.
   */
  readonly trusted: boolean
  /** Whether it is an event that waited for its time on the broker. */
  readonly delayed: boolean
  /**
   * Whether the runtime signed it; set where signatures are required, on dead letters and on what came as a copy without
   * a valid one.
   */
  readonly signed?: boolean | undefined
  /** With `signed: false`: what is wrong with a message of another system, which needs no signature. */
  readonly refusal?: InvalidEvent | UnknownEvent | undefined
  /** How another system routed it; absent for everything else. */
  readonly route?: ForeignRoute | undefined
  /** Of an event that was read from a message of another system: that message. */
  readonly original?: Delivery | undefined
  /** The subscriber that the runtime sent it to; absent for events. */
  readonly recipient?: string | undefined
  readonly redelivered: boolean
  /** How often it came back unsettled; 0 unless `redelivered`. */
  readonly deliveryCount: number
  /** The event name by which it was routed; empty when its route names none, as that of a copy or a dead letter. */
  readonly routingKey: string
  /** Settles it. Never throws. A second call, or one after the channel is gone, does nothing and is counted. */
  readonly ack: () => void
  /** The adapter's own name of it. */
  readonly tag?: number | undefined
  /**
   * Has the broker dead-letter it: its body stays, and no diagnosis is written. For what cannot be sent as a copy. One
   * function for all deliveries of a consumer; absent where the queue has no place for dead letters. Never throws.
   */
  readonly reject?: ((delivery: Delivery) => void) | undefined
  /** Whether its channel is gone: it cannot be settled any more and will be delivered again. */
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
  /** What it gets of other systems. These objects must exist. */
  readonly foreign?: ForeignPlaces
}

/** A queue of a subscriber: its own, or the one of its parked events. */
export type QueueKind = "own" | "parked"

export interface ConsumeOptions {
  readonly subscriber: string
  /** Default `"own"`. */
  readonly queue?: QueueKind
  /** Whether deliveries of other systems say how they were routed. Default false. */
  readonly withRoute?: boolean
  readonly prefetch: number
  /** Called for each message, in order. Must not throw; it only enqueues. */
  readonly onDelivery: (delivery: Delivery) => void
  /** Called at most once, when the consumer ended without being closed. */
  readonly onLost: (error: BrokerError) => void
}

/** Of a queue of another system. Each delivery has a `route`, and none is trusted. */
export interface ForeignConsumeOptions extends Omit<ConsumeOptions, "subscriber" | "queue" | "withRoute"> {
  /** Its name on the broker. */
  readonly queue: string
  /** Whether nobody else may consume it meanwhile. Refused as `QueueInUse` while somebody does. */
  readonly exclusive: boolean
}

export interface EphemeralOptions extends Omit<ConsumeOptions, "subscriber" | "queue" | "withRoute"> {
  readonly patterns: ReadonlyArray<string>
  /** Also copies of what comes into these dead-letter queues from now on, which keep what they have. Default none. */
  readonly letters?: ReadonlyArray<DeadLetterSource>
  /** False when each delivery is settled as soon as it is sent: `ack` is not needed, and `prefetch` bounds nothing. Default true. */
  readonly isSettled?: boolean
}

/** A live consumer. The end of its scope closes it; unsettled deliveries go back in order. */
export interface Consumer {
  /** Stops new deliveries and returns when none can come any more. What was delivered can still be settled. */
  readonly cancel: Effect.Effect<void, BrokerError>
  /**
   * Sends what was acknowledged so far. Returns whether it is on its way to the broker even if this process ends now.
   * Otherwise `sent` is called when it is, or when the consumer is gone. Never throws.
   */
  readonly flush: (sent: () => void) => boolean
}

/** Messages of a dead-letter queue, held until they are acked or the scope ends. */
export interface DeadLetterReader {
  /** How many there were when the reader was opened: the limit of a listing or a replay. */
  readonly count: number
  /** The next one, or undefined when there is none. */
  readonly next: Effect.Effect<Delivery | undefined, BrokerError>
  /**
   * Leaves a delivery of this reader in the queue. However often it is left there, it must not be lost for that: where a
   * broker counts returns, the adapter stores it anew. What is neither acked nor kept goes back as it is. Never throws.
   */
  readonly keep: (delivery: Delivery) => void
}

/** The undeliverable queue holds delayed events that had no bound subscriber when they were due. */
export type DeadLetterSource =
  | { readonly _tag: "Subscriber"; readonly name: string }
  | { readonly _tag: "Undeliverable" }

export interface Depth {
  readonly ready: number
  readonly consumers: number
}

/** The state of the publishing side. */
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

/** What an adapter can and cannot do: conformance suites skip by it, and health reports it. */
export interface BrokerFeatures {
  readonly transport: "memory" | "amqp"
  /** Whether messages survive the broker's restart. */
  readonly persistent: boolean
  /** Whether the broker is another process, which can go away. */
  readonly remote: boolean
  /** Its address, if there is a single one. */
  readonly server?: { readonly address: string; readonly port: number } | undefined
}

export class Broker extends Context.Service<
  Broker,
  {
    readonly namespace: string
    readonly features: BrokerFeatures
    /** The state of the publishing side: publishes wait unless it is `Up`. */
    readonly status: SubscriptionRef.SubscriptionRef<BrokerStatus>
    /**
     * Sends one message, mandatory, persistent and confirmed. Synchronous, never throws; `answered` may be
     * called within the call. Messages of one key are stored in the order of the calls.
     */
    readonly send: (inFlight: InFlightMessage) => void
    /**
     * How many of these seconds a copy for a subscriber can wait in one pass through the broker: at least one, at most
     * `maxDelaySeconds`. A copy that is to wait for longer passes several times. Absent: as many as `maxDelaySeconds`.
     */
    readonly passOf?: (seconds: number) => number
    /** Declares a subscriber's queues and bindings. Idempotent. */
    readonly declare: (spec: SubscriberSpec) => Effect.Effect<void, BrokerError>
    readonly consume: (options: ConsumeOptions) => Effect.Effect<Consumer, BrokerError, Scope.Scope>
    /** Consumes from a queue that another system declared. Fails with `TopologyMissing` when it does not exist. */
    readonly consumeForeign: (options: ForeignConsumeOptions) => Effect.Effect<Consumer, BrokerError, Scope.Scope>
    /** Consumes from a queue of its own, which is deleted with the consumer. */
    readonly consumeEphemeral: (options: EphemeralOptions) => Effect.Effect<Consumer, BrokerError, Scope.Scope>
    /** `queue` is `"own"` by default. A consumer that is gone is not counted, and what it held is ready again. */
    readonly depth: (subscriber: string, queue?: QueueKind) => Effect.Effect<Depth, BrokerError>
    readonly deadLetterDepth: (source: DeadLetterSource) => Effect.Effect<number, BrokerError>
    readonly readDeadLetters: (source: DeadLetterSource) => Effect.Effect<DeadLetterReader, BrokerError, Scope.Scope>
    readonly probes: ReadonlyArray<BrokerProbe>
  }
>()("@eduflow/events/bus/Broker") {}
