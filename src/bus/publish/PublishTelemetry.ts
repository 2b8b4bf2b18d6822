/** What is measured, traced and logged of one publish, from the call to the outcome. */
import type * as Clock from "effect/Clock"
import type * as Exit from "effect/Exit"
import type * as Tracer from "effect/Tracer"
import type * as Log from "../../observe/Log.ts"
import type * as Meters from "../../observe/Meters.ts"
import type * as Spans from "../../observe/Spans.ts"
import * as Trace from "../../observe/Trace.ts"
import type { Headers } from "../port/Broker.ts"
import type * as PublishReason from "../send/PublishReason.ts"
import type { KnownEvents } from "../support/KnownEvents.ts"

/** Shared by all publishes of a bus. */
export interface TelemetryTools {
  readonly clock: Clock.Clock
  readonly log: Log.Log
  readonly stopwatch: () => number
  readonly trace: Trace.Trace
  readonly known: KnownEvents
}

/** Shared by all publishes of an event. */
export interface EventTelemetry {
  readonly name: string
  unheardAt: number
  readonly metrics: Meters.PublisherMetrics
  readonly startSpan: Spans.PublisherSpans
}

export class PublishTelemetry {
  private readonly tools: TelemetryTools
  private readonly event: EventTelemetry
  private readonly began: number
  /** The span of the publish; undefined without a tracer. */
  private span: Tracer.Span | undefined = undefined
  /** The span that its log lines and the message belong to: its own, or the caller's. */
  private traced: Tracer.AnySpan | undefined = undefined

  constructor(tools: TelemetryTools, event: EventTelemetry) {
    this.tools = tools
    this.event = event
    this.began = tools.stopwatch()
  }

  /** When the publish began, in milliseconds of the monotonic clock. */
  get beganAt(): number {
    return this.began * 1000
  }

  startSpan(parent: Tracer.AnySpan | undefined, id: string, correlationId: string | undefined): void {
    if (this.tools.trace.enabled) this.span = this.event.startSpan(parent, { id, correlationId })
    this.traced = this.span ?? parent
  }

  /** These headers and the trace context that travels with the message. */
  headers(own: Headers | undefined): Headers {
    return this.traced === undefined ? (own ?? noHeaders) : { ...own, ...Trace.inject(this.traced) }
  }

  /** Nothing was sent, and no span was begun. */
  refused(reason: PublishReason.PublishReason): void {
    this.event.metrics.failed(reason._tag, this.seconds())
  }

  /** `time` is when it was published. */
  confirmed(id: string, time: number, routed: boolean): void {
    const { log } = this.tools
    this.event.metrics.confirmed(routed, this.seconds())
    if (log.debugEnabled)
      log.debug("published", {
        event: this.event.name,
        id,
        routed,
        millis: Math.round(this.seconds() * 1000),
        span: this.traced
      })
    if (!routed && time - this.event.unheardAt >= hourMillis) this.unheard(id, time)
  }

  /** Rarely right, and never an error: once an hour for each event. */
  private unheard(id: string, time: number): void {
    const { known, log } = this.tools
    const { name } = this.event
    this.event.unheardAt = time
    // Nobody needs to listen to the events of the runtime.
    if (name.startsWith("bus.")) return
    const meant = known.nearest(name)
    log.warning("a published event reached nobody", {
      event: name,
      id,
      detail: "no subscriber is bound to it: it is remembered where the cache keeps it, and is otherwise gone",
      remedy:
        meant === undefined
          ? "start its subscriber first, or publish with `mandatory: true` to fail instead"
          : `did you mean "${meant}"? Otherwise start its subscriber first, or publish with \`mandatory: true\` to fail instead`,
      span: this.traced
    })
  }

  failed(id: string, reason: PublishReason.PublishReason): void {
    this.event.metrics.failed(reason._tag, this.seconds())
    this.tools.log.warning("publish failed", {
      event: this.event.name,
      id,
      reason: reason._tag,
      detail: reason.message,
      span: this.traced
    })
  }

  /** Its caller was interrupted and does not see the outcome. */
  interrupted(outcome: Exit.Exit<unknown, unknown>): void {
    this.tools.log.info("an interrupted publish ended", { event: this.event.name, outcome: outcome._tag })
  }

  endSpan(exit: Exit.Exit<unknown, unknown>, reason: string | undefined): void {
    if (this.span !== undefined) this.tools.trace.end(this.span, exit, reason)
  }

  private seconds(): number {
    return this.tools.stopwatch() - this.began
  }
}

const hourMillis = 60 * 60 * 1000
const noHeaders: Headers = {}
