/**
 * Spans of the runtime and W3C trace context in messages
 * (https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/). A span costs more than
 * the rest of a publish, so whether spans are made is decided once, when a layer is built: only when
 * a tracer other than Effect's own is there. The context of a span that the caller made travels on in
 * either case.
 *
 * Which traces are kept is the tracer's to decide, and what its sampler left out stays out on the way.
 */
import type { Exit } from "effect"
import { Clock, Context, Option, Tracer } from "effect"
import type { Place } from "./Messaging.ts"

export interface TraceHeaders {
  readonly traceparent?: string
  readonly tracestate?: string
}

/** Whether handling an event belongs to the trace of its publish, or is a trace of its own with a link to it. */
export type TraceRelation = "parent" | "link"

type Attribute = readonly [key: string, value: string | number | undefined]
export type Attributes = ReadonlyArray<Attribute>

/** Made once of what is the same for many spans: going through a record costs a span more than the rest of it. */
export const attributes = (of: Readonly<Record<string, string | number | undefined>>): Attributes => Object.entries(of)

export interface Start {
  readonly name: string
  readonly kind: Tracer.SpanKind
  readonly parent: Tracer.AnySpan | undefined
  /** Whether it begins a trace, whatever is around it. */
  readonly root?: boolean
  /** The span keeps it. */
  readonly links?: Array<Tracer.SpanLink>
  /** Those that are always the same, and those of this one. */
  readonly fixed: Attributes
  readonly own: Attributes
}

export interface Trace {
  /** Whether a tracer is configured. */
  readonly enabled: boolean
  readonly place: Place
  readonly relation: TraceRelation
  /** A span that the caller ends; undefined when no tracer is configured. */
  readonly start: (start: Start) => Tracer.Span | undefined
  /** `error` is what it failed with, by its tag. */
  readonly end: (span: Tracer.Span | undefined, exit: Exit.Exit<unknown, unknown>, error: string | undefined) => void
}

export const make = (context: Context.Context<never>, place: Place, relation: TraceRelation = "parent"): Trace => {
  const tracer = Context.get(context, Tracer.Tracer)
  const clock = Context.get(context, Clock.Clock)
  const enabled = tracer !== Tracer.nativeTracer
  return {
    enabled,
    place,
    relation,
    start: ({ fixed, kind, links, name, own, parent, root }) => {
      if (!enabled) return undefined
      try {
        const span = tracer.span({
          name,
          kind,
          parent: Option.fromUndefinedOr(parent),
          annotations: nothing,
          links: links ?? [],
          startTime: clock.currentTimeNanosUnsafe(),
          // Without a parent that Effect knows there may be one that only the tracer knows.
          root: root === true,
          sampled: parent?.sampled ?? true
        })
        if (span.sampled) {
          describe(span, fixed)
          describe(span, own)
        }
        return span
      } catch {
        // A tracer that throws changes nothing for events (P18).
        return undefined
      }
    },
    end: (span, exit, error) => {
      if (span === undefined) return
      try {
        if (error !== undefined) span.attribute("error.type", error)
        span.end(clock.currentTimeNanosUnsafe(), exit)
      } catch {
        // The same.
      }
    }
  }
}

const describe = (span: Tracer.Span, attributes: Attributes): void => {
  for (const [key, value] of attributes) if (value !== undefined) span.attribute(key, value)
}

const nothing: Context.Context<never> = Context.empty()

/** The span of the running fiber, if there is one. */
export const current = (context: Context.Context<never>): Tracer.AnySpan | undefined =>
  Context.getOrUndefined(context, Tracer.ParentSpan)

/** What the systems before this one want to travel along; opaque. */
const TraceState = Context.Reference<string | undefined>("@eduflow/events/observe/TraceState", {
  defaultValue: () => undefined
})
/** Spans between the one that came from outside and the one that goes out. */
const depth = 16

const traceState = (span: Tracer.AnySpan): string | undefined => {
  let at: Tracer.AnySpan | undefined = span
  for (let up = 0; at !== undefined && up < depth; up++) {
    const state = Context.get(at.annotations, TraceState)
    if (state !== undefined) return state
    at = at._tag === "Span" ? Option.getOrUndefined(at.parent) : undefined
  }
  return undefined
}

/** The headers that carry a span to the next service. */
export const inject = (span: Tracer.AnySpan | undefined): TraceHeaders => {
  if (span === undefined) return {}
  const tracestate = traceState(span)
  return { traceparent: name(span), ...(tracestate !== undefined && { tracestate }) }
}

/** A span by its ids, as W3C writes it. */
export const name = (span: Tracer.AnySpan): string => `00-${span.traceId}-${span.spanId}-${span.sampled ? "01" : "00"}`

/**
 * The span of such a name (https://www.w3.org/TR/trace-context/#traceparent-header). Read here since Effect's reader
 * costs a delivery 1.5 µs; a test holds it against that one.
 */
export const named = (traceparent: string): Tracer.ExternalSpan | undefined => {
  const found = w3c.exec(traceparent)
  if (found === null) return undefined
  const [, traceId = "", spanId = "", flags = ""] = found
  if (traceId === noTrace || spanId === noSpan) return undefined
  return Tracer.externalSpan({ traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 })
}
const w3c = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/
const noTrace = "0".repeat(32)
const noSpan = "0".repeat(16)

/** Longer ones need not be passed on (https://www.w3.org/TR/trace-context/#tracestate-limits). */
const maxTraceState = 512

/** The span that a message's headers name, if they name one. */
export const extract = (headers: Readonly<Record<string, unknown>>): Tracer.ExternalSpan | undefined => {
  const { traceparent, tracestate } = headers
  const span = typeof traceparent === "string" ? named(traceparent) : undefined
  if (span === undefined || typeof tracestate !== "string" || tracestate === "") return span
  if (tracestate.length > maxTraceState || !/^[\x20-\x7e]*$/.test(tracestate)) return span
  const { sampled, spanId, traceId } = span
  return Tracer.externalSpan({ traceId, spanId, sampled, annotations: Context.make(TraceState, tracestate) })
}
