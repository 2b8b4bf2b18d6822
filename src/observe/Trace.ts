/**
 * Spans of the runtime and W3C trace context in messages
 * (https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/). A span costs more than
 * the rest of a publish, so whether spans are made is decided once, when a layer is built: only when
 * a tracer other than Effect's own is there. The context of a span that the caller made travels on in
 * either case.
 */
import type { Exit } from "effect"
import { Clock, Context, Option, Tracer } from "effect"
import { Headers, HttpTraceContext } from "effect/http"

export interface TraceHeaders {
  readonly traceparent?: string
  readonly tracestate?: string
}

export interface Trace {
  /** Whether a tracer is configured. */
  readonly enabled: boolean
  /** A span that the caller ends; undefined when no tracer is configured. */
  readonly start: (
    name: string,
    kind: Tracer.SpanKind,
    parent: Tracer.AnySpan | undefined,
    attributes: Readonly<Record<string, unknown>>
  ) => Tracer.Span | undefined
  readonly end: (span: Tracer.Span | undefined, exit: Exit.Exit<unknown, unknown>) => void
}

export const make = (context: Context.Context<never>): Trace => {
  const tracer = Context.get(context, Tracer.Tracer)
  const clock = Context.get(context, Clock.Clock)
  const enabled = tracer !== Tracer.nativeTracer
  return {
    enabled,
    start: (name, kind, parent, attributes) => {
      if (!enabled) return undefined
      return looked(() => {
        const span = tracer.span({
          name,
          kind,
          parent: Option.fromUndefinedOr(parent),
          annotations: Context.empty(),
          links: [],
          startTime: clock.currentTimeNanosUnsafe(),
          root: parent === undefined,
          sampled: parent?.sampled ?? true
        })
        for (const [key, value] of Object.entries(attributes)) span.attribute(key, value)
        return span
      })
    },
    end: (span, exit) => looked(() => span?.end(clock.currentTimeNanosUnsafe(), exit))
  }
}

/** A tracer that throws changes nothing for events (P18). */
const looked = <A>(look: () => A): A | undefined => {
  try {
    return look()
  } catch {
    return undefined
  }
}

/** The span of the running fiber, if there is one. */
export const current = (context: Context.Context<never>): Tracer.AnySpan | undefined =>
  Context.getOrUndefined(context, Tracer.ParentSpan)

/** The headers that carry a span to the next service. */
export const inject = (span: Tracer.AnySpan | undefined): TraceHeaders =>
  span === undefined ? {} : { traceparent: `00-${span.traceId}-${span.spanId}-${span.sampled ? "01" : "00"}` }

/** The span that a message's headers name, if they name one. */
export const extract = (headers: Readonly<Record<string, unknown>>): Tracer.ExternalSpan | undefined => {
  const traceparent = headers["traceparent"]
  return typeof traceparent === "string"
    ? Option.getOrUndefined(HttpTraceContext.w3c(Headers.fromRecordUnsafe({ traceparent })))
    : undefined
}
