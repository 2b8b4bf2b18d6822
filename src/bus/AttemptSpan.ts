/**
 * The span of an attempt: a part of the publish's trace or linked to it, and from the second attempt on
 * linked to the first, over retries on the broker, dead letters and replays.
 */
import type { Tracer } from "effect"
import * as Spans from "../observe/Spans.ts"
import * as Trace from "../observe/Trace.ts"
import type { Work } from "./Work.ts"

export interface AttemptSpan {
  /** Undefined when no tracer is configured. */
  readonly span: Tracer.Span | undefined
  /** What the handler's own spans and publishes belong to. */
  readonly surrounding: Tracer.AnySpan | undefined
}

export interface Subject {
  readonly name: string
  readonly traceRelation: Trace.TraceRelation | undefined
}

export const maker = (subscriber: Subject, trace: Trace.Trace) => {
  const start = Spans.subscriber(trace, subscriber.name, subscriber.traceRelation)
  return (work: Work): AttemptSpan => {
    const { delivery, event, progress } = work
    const producer = Trace.extract(delivery.headers)
    const span = start({
      event: event.type,
      id: event.id,
      correlationId: event.correlationId,
      attempt: progress.attempt,
      producer,
      first: work.firstSpan
    })
    if (span !== undefined) work.firstSpan ??= Trace.name(span)
    work.span = span ?? producer
    return { span, surrounding: work.span }
  }
}
