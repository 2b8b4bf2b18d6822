/**
 * Publishes events that were checked and encoded before, by another process perhaps: those of the outbox of a database.
 * They go the way of every other publish, but wait for ever: what the broker rejects, or whose answer was lost, is sent
 * again in the order of its key. Only what can never be sent ends with a reason.
 */
import type * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Exit from "effect/Exit"
import type { Body } from "../../event/Body.ts"
import { sizeOf } from "../../event/Body.ts"
import type * as Event from "../../event/Event.ts"
import * as WireFormat from "../../event/WireFormat.ts"
import type * as Log from "../../observe/Log.ts"
import * as Meters from "../../observe/Meters.ts"
import * as Spans from "../../observe/Spans.ts"
import * as Stopwatch from "../../observe/Stopwatch.ts"
import * as Trace from "../../observe/Trace.ts"
import type { Address, Headers } from "../port/Broker.ts"
import type { CacheStore } from "../port/CacheStore.ts"
import { MessageProperties, OutgoingMessage } from "../port/OutgoingMessage.ts"
import type { Outbox } from "../send/Outbox.ts"
import type { Outcome } from "../send/Outcome.ts"
import { PublishError } from "../send/PublishError.ts"
import * as RuntimeHeaders from "../send/RuntimeHeaders.ts"
import { Shipment, type State } from "../send/Shipment.ts"
import type { KnownEvents } from "../support/KnownEvents.ts"
import { PublishedEntry } from "./Publication.ts"
import { type EventTelemetry, PublishTelemetry, type TelemetryTools } from "./PublishTelemetry.ts"

export interface EncodedEvent {
  readonly name: string
  readonly id: string
  readonly key: string | undefined
  /** When it was published, in milliseconds since the epoch. */
  readonly time: number
  readonly source: string
  readonly correlationId: string | undefined
  readonly body: Body
  /** With the trace context of its publisher. */
  readonly headers: Headers
  readonly mandatory: boolean
  /** 0 is at once. */
  readonly delaySeconds: number
  readonly cache: Event.CachePolicy | false
  /** What is different in a message for another system. */
  readonly foreign?: ForeignMessage
}

export interface ForeignMessage {
  readonly to: Address
  readonly type: string
  readonly contentType: string
  /** Longest time until the outcome, in milliseconds. */
  readonly timeoutMillis: number
}

export interface EncodedPublisher {
  /** The service that publishes. */
  readonly source: string
  /** Sends an event; `finished` is called once with its outcome, within the call perhaps, unless it is withdrawn before it was sent. */
  readonly submit: (event: EncodedEvent, finished: (outcome: Outcome) => void) => Submission
}

/** An event on its way to its outcome. */
export interface Submission {
  /** `done` when it has its outcome, or was withdrawn. */
  readonly state: State
  /** What was not sent yet never will be. */
  readonly withdraw: () => void
}

export interface EncodedPublisherOptions {
  readonly store: CacheStore["Service"]
  readonly outbox: Outbox
  readonly clock: Clock.Clock
  readonly context: Context.Context<never>
  readonly log: Log.Log
  readonly known: KnownEvents
  readonly trace: Trace.Trace
  readonly source: string
}

export const make = (options: EncodedPublisherOptions): EncodedPublisher => {
  const { clock, context, known, log, outbox, store, trace } = options
  const tools: TelemetryTools = { clock, log, known, trace, stopwatch: Stopwatch.of(clock) }
  // Bounded: names of events come from contracts.
  const prepared = new Map<string, EventTelemetry>()
  const prepare = (name: string): EventTelemetry => {
    let event = prepared.get(name)
    if (event === undefined) {
      event = {
        name,
        unheardAt: Number.NEGATIVE_INFINITY,
        metrics: Meters.publisher(name, trace.broker, context),
        startSpan: Spans.publisher(trace, name)
      }
      prepared.set(name, event)
    }
    return event
  }
  return {
    source: options.source,
    submit: (event, finished) => {
      const telemetry = new PublishTelemetry(tools, prepare(event.name))
      telemetry.startSpan(Trace.extract(event.headers), event.id, event.correlationId)
      const publication = new EncodedPublication(event, telemetry, store, finished)
      outbox.submit(publication)
      return publication
    }
  }
}

class EncodedPublication extends Shipment {
  private readonly event: EncodedEvent
  private readonly telemetry: PublishTelemetry
  private readonly store: CacheStore["Service"]
  private readonly ended: (outcome: Outcome) => void

  constructor(
    event: EncodedEvent,
    telemetry: PublishTelemetry,
    store: CacheStore["Service"],
    ended: (outcome: Outcome) => void
  ) {
    const message = messageOf(event, telemetry)
    const deadline = telemetry.beganAt + (event.foreign?.timeoutMillis ?? Number.POSITIVE_INFINITY)
    super(message, message.bytes, deadline, event.mandatory, false)
    this.event = event
    this.telemetry = telemetry
    this.store = store
    this.ended = ended
  }

  override get endsWhenDenied(): boolean {
    return true
  }

  override get keepsOrder(): boolean {
    return true
  }

  finished(outcome: Outcome): void {
    const { cache, id, name, time } = this.event
    if (outcome._tag === "Confirmed") {
      const isDelayed = this.message.to._tag === "DelayedEvent"
      this.telemetry.confirmed(id, time, outcome.routed)
      if (cache !== false && !isDelayed)
        this.store.write(new PublishedEntry(name, this.event.key ?? "", id, time, this.event.body, cache))
      this.telemetry.endSpan(Exit.void, undefined)
    } else {
      this.telemetry.failed(id, outcome)
      this.telemetry.endSpan(Exit.fail(new PublishError({ event: name, id, reason: outcome })), outcome._tag)
    }
    this.ended(outcome)
  }
}

const messageOf = (event: EncodedEvent, telemetry: PublishTelemetry): OutgoingMessage => {
  const { body, correlationId, delaySeconds, id, key, name, source, time } = event
  const to: Address = delaySeconds > 0 ? { _tag: "DelayedEvent", name, seconds: delaySeconds } : { _tag: "Event", name }
  const headers = telemetry.headers(
    delaySeconds > 0 ? { ...event.headers, ...RuntimeHeaders.delayedMark } : event.headers
  )
  if (event.foreign !== undefined) {
    const { contentType, to: target, type } = event.foreign
    const properties = new MessageProperties(id, type, time, source, correlationId, contentType)
    return new OutgoingMessage(target, key, body, sizeOf(body), properties, headers)
  }
  const properties = new MessageProperties(id, name, time, source, correlationId, WireFormat.contentType)
  return new OutgoingMessage(to, key, body, sizeOf(body), properties, headers)
}
