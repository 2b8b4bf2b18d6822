/**
 * Spans of the runtime, and W3C trace context in messages
 * (https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/). A span costs more than the rest of a
 * publish, so whether spans are made is decided once, when a layer is built: only if a tracer other than Effect's own
 * is provided. The context of a span that the caller started is propagated in either case.
 *
 * The tracer decides which traces are kept. A trace that its sampler dropped stays dropped downstream.
 */
import type * as Exit from "effect/Exit"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Option from "effect/Option"
import * as Tracer from "effect/Tracer"
import { headerText } from "../event/FieldValue.ts"
import type { BrokerIdentity } from "./Messaging.ts"

export interface TraceHeaders {
  readonly traceparent?: string
  readonly tracestate?: string
}

/** Whether handling an event belongs to the trace of its publish, or starts a trace of its own with a link to it. */
export type TraceRelation = "parent" | "link"

type Attribute = readonly [key: string, value: string | number | undefined]
export type Attributes = ReadonlyArray<Attribute>

/** Converted once for many spans: iterating a record costs more than the rest of a span. */
export const attributes = (record: Readonly<Record<string, string | number | undefined>>): Attributes =>
  Object.entries(record)

export interface SpanOptions {
  readonly name: string
  readonly kind: Tracer.SpanKind
  readonly parent: Tracer.AnySpan | undefined
  /** Whether it starts a new trace, even within another span. */
  readonly root?: boolean
  /** The span takes ownership of this array. */
  readonly links?: Array<Tracer.SpanLink>
  /** Attributes that are the same for all spans of this kind. */
  readonly constant: Attributes
  /** Attributes of this span alone. */
  readonly varying: Attributes
}

export interface Trace {
  /** Whether a tracer is configured. */
  readonly enabled: boolean
  readonly broker: BrokerIdentity
  readonly relation: TraceRelation
  /** Starts a span that the caller ends; undefined if no tracer is configured. */
  readonly start: (start: SpanOptions) => Tracer.Span | undefined
  /** Ends a span. `error` is the tag of the failure, if there is one. */
  readonly end: (span: Tracer.Span | undefined, exit: Exit.Exit<unknown, unknown>, error: string | undefined) => void
}

export const make = (
  context: Context.Context<never>,
  broker: BrokerIdentity,
  relation: TraceRelation = "parent"
): Trace => {
  const tracer = Context.get(context, Tracer.Tracer)
  const clock = Context.get(context, Clock.Clock)
  const enabled = tracer !== Tracer.nativeTracer
  return {
    enabled,
    broker,
    relation,
    start: ({ constant, kind, links, name, parent, root, varying }) => {
      if (!enabled) return undefined
      try {
        const span = tracer.span({
          name,
          kind,
          parent: Option.fromUndefinedOr(parent),
          annotations: noAnnotations,
          links: links ?? [],
          startTime: clock.currentTimeNanosUnsafe(),
          // Even without a parent in Effect the tracer may know one.
          root: root === true,
          sampled: parent?.sampled ?? true
        })
        if (span.sampled) {
          setAttributes(span, constant)
          setAttributes(span, varying)
        }
        return span
      } catch {
        // Telemetry changes nothing: if the tracer throws, the event goes on without a span.
        return undefined
      }
    },
    end: (span, exit, error) => {
      if (span === undefined) return
      try {
        if (error !== undefined) span.attribute("error.type", error)
        span.end(clock.currentTimeNanosUnsafe(), exit)
      } catch {
        // As above.
      }
    }
  }
}

const setAttributes = (span: Tracer.Span, attributes: Attributes): void => {
  for (const [key, value] of attributes) if (value !== undefined) span.attribute(key, value)
}

const noAnnotations: Context.Context<never> = Context.empty()

/** The span of the running fiber, if there is one. */
export const current = (context: Context.Context<never>): Tracer.AnySpan | undefined =>
  Context.getOrUndefined(context, Tracer.ParentSpan)

/** Opaque state of upstream systems that has to be propagated (https://www.w3.org/TR/trace-context/#tracestate-header). */
const TraceState = Context.Reference<string | undefined>("@eduflow/events/observe/TraceState", {
  defaultValue: () => undefined
})
/** How many ancestors of the outgoing span are searched for the incoming one. */
const maxAncestors = 16

const traceState = (span: Tracer.AnySpan): string | undefined => {
  let ancestor: Tracer.AnySpan | undefined = span
  for (let n = 0; ancestor !== undefined && n < maxAncestors; n++) {
    const state = Context.get(ancestor.annotations, TraceState)
    if (state !== undefined) return state
    ancestor = ancestor._tag === "Span" ? Option.getOrUndefined(ancestor.parent) : undefined
  }
  return undefined
}

/** Headers that propagate a span to the next service. */
export const inject = (span: Tracer.AnySpan | undefined): TraceHeaders => {
  if (span === undefined) return {}
  const tracestate = traceState(span)
  return { traceparent: formatTraceparent(span), ...(tracestate !== undefined && { tracestate }) }
}

/** The `traceparent` of a span (https://www.w3.org/TR/trace-context/#traceparent-header). */
export const formatTraceparent = (span: Tracer.AnySpan): string =>
  `00-${span.traceId}-${span.spanId}-${span.sampled ? "01" : "00"}`

/**
 * The span of a `traceparent`, or undefined if it is malformed. Of a later version the parts of version 00 are read
 * (https://www.w3.org/TR/trace-context/#versioning-of-traceparent). Effect's own parser would cost each delivery 1.5 µs;
 * a test compares the two.
 */
export const parseTraceparent = (traceparent: string): Tracer.ExternalSpan | undefined => {
  const found = traceparentPattern.exec(traceparent) ?? laterTraceparentPattern.exec(traceparent)
  if (found === null) return undefined
  const [, traceId = "", spanId = "", flags = ""] = found
  if (traceId === invalidTraceId || spanId === invalidSpanId) return undefined
  return Tracer.externalSpan({ traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 })
}
const traceparentPattern = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/
const laterTraceparentPattern = /^(?!00|ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-[\x20-\x7e]*)?$/
const invalidTraceId = "0".repeat(32)
const invalidSpanId = "0".repeat(16)

/** A longer state need not be propagated (https://www.w3.org/TR/trace-context/#tracestate-limits). */
const maxTraceStateLength = 512

/** The span that the headers of a message propagate, if there is one. */
export const extract = (headers: Readonly<Record<string, unknown>>): Tracer.ExternalSpan | undefined => {
  const traceparent = headerText(headers["traceparent"])
  const span = traceparent === undefined ? undefined : parseTraceparent(traceparent)
  if (span === undefined) return undefined
  const tracestate = headerText(headers["tracestate"])
  if (tracestate === undefined || tracestate === "") return span
  if (tracestate.length > maxTraceStateLength || !/^[\x20-\x7e]*$/.test(tracestate)) return span
  const { sampled, spanId, traceId } = span
  return Tracer.externalSpan({ traceId, spanId, sampled, annotations: Context.make(TraceState, tracestate) })
}
