/**
 * One attempt at an event: its handler with a Scope, a span, and the event as the cause of what the handler
 * publishes.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import * as Spans from "../../observe/Spans.ts"
import * as Trace from "../../observe/Trace.ts"
import type { Admission } from "../admit/Admission.ts"
import type { Work } from "../delivery/Work.ts"
import * as RuntimeHeaders from "../send/RuntimeHeaders.ts"
import type { DeliveryInfo } from "../subscriber/SubscriberOptions.ts"
import { CurrentHandling } from "../support/CurrentHandling.ts"
import type { HandlerCall } from "./HandlerCall.ts"

export interface AttemptParts<R> {
  readonly subscriber: { readonly name: string; readonly traceRelation: Trace.TraceRelation | undefined }
  readonly context: Context.Context<R>
  readonly call: HandlerCall<R>
  readonly trace: Trace.Trace
  readonly admission: Admission | undefined
}

/** Starts the handler of a delivery, and returns the span to end with it: undefined when no tracer is configured. */
export type StartAttempt = (work: Work) => Tracer.Span | undefined

export const starter = <R>({ admission, call, context, subscriber, trace }: AttemptParts<R>): StartAttempt => {
  const startSpan = spanStarter(subscriber, trace)
  return (work) => {
    const { event } = work
    const scope = Scope.makeUnsafe()
    const span = startSpan(work)
    const surrounding = work.span
    const handle = (fence: number | undefined) =>
      call.handle(work, deliveryInfo(subscriber.name, work, fence), surrounding)
    const guarded: Effect.Effect<unknown, unknown, R> =
      admission === undefined ? handle(undefined) : admission.admit(work, handle)
    // The fiber starts with these services, which costs less than adding them to a running one.
    const own = Context.add(Context.add(context, Scope.Scope, scope), CurrentHandling, {
      id: event.id,
      correlationId: event.correlationId
    })
    const run = Effect.runForkWith(surrounding === undefined ? own : Context.add(own, Tracer.ParentSpan, surrounding))
    work.fiber = run(Effect.onExitPrimitive(guarded, (exit) => Scope.closeUnsafe(scope, exit)))
    return span
  }
}

const deliveryInfo = (subscriber: string, { delivery, progress }: Work, fence: number | undefined): DeliveryInfo => ({
  subscriber,
  attempt: progress.attempt,
  firstFailure: progress.firstFailure === undefined ? undefined : new Date(progress.firstFailure),
  redelivered: delivery.redelivered,
  replays: progress.replays,
  headers: RuntimeHeaders.userHeaders(delivery),
  fence
})

/**
 * The span of an attempt belongs to the trace of the publish, or links to it. From the second attempt on it also
 * links to the first, across retries on the broker, dead letters and replays. `work.span` becomes the span that
 * the handler's own spans and publishes belong to.
 */
const spanStarter = ({ name, traceRelation }: AttemptParts<never>["subscriber"], trace: Trace.Trace): StartAttempt => {
  const start = Spans.subscriber(trace, name, traceRelation)
  return (work) => {
    const { delivery, event, progress } = work
    const producer = Trace.extract(delivery.headers)
    const span = start({
      event: event.type,
      id: event.id,
      correlationId: event.correlationId,
      attempt: progress.attempt,
      producer,
      firstAttempt: work.firstSpan
    })
    if (span !== undefined) work.firstSpan ??= Trace.formatTraceparent(span)
    work.span = span ?? producer
    return span
  }
}
