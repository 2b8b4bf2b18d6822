/**
 * One attempt at an event: its handler with a Scope, a span, and the event as the cause of what the handler
 * publishes.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import { type Baggage, CurrentBaggage } from "../../event/flow/Baggage.ts"
import { CurrentTenant } from "../../event/flow/Tenant.ts"
import * as PlainRecord from "../../event/support/PlainRecord.ts"
import * as Spans from "../../observe/Spans.ts"
import * as Trace from "../../observe/Trace.ts"
import type { Admission } from "../admit/Admission.ts"
import * as Expiry from "../delivery/Expiry.ts"
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
  const { join } = call
  const clock = Context.get(context, Clock.Clock)
  if (join !== undefined && admission === undefined)
    // Its batch has a fiber, a Scope and a cause of its own.
    return (work) => {
      const span = startSpan(work)
      const info = new Info(subscriber.name, work, undefined, RuntimeHeaders.baggageOf(work.delivery))
      work.running = join(work, info, work.span)
      return span
    }
  return (work) => {
    const { event } = work
    const scope = Scope.makeUnsafe()
    const span = startSpan(work)
    const surrounding = work.span
    const baggage = RuntimeHeaders.baggageOf(work.delivery)
    const handle = (fence: number | undefined) =>
      call.handle(work, new Info(subscriber.name, work, fence, baggage), surrounding)
    const guarded: Effect.Effect<unknown, unknown, R> =
      admission === undefined
        ? handle(undefined)
        : // It may have expired while the stores were asked.
          admission.admit(work, (fence) =>
            event.expiryTime !== undefined && Expiry.isOver(event.expiryTime, clock.currentTimeMillisUnsafe())
              ? Expiry.refuse(work)
              : handle(fence)
          )
    // The fiber starts with these services, which costs less than adding them to a running one.
    let own = Context.add(Context.add(context, Scope.Scope, scope), CurrentHandling, {
      id: event.id,
      correlationId: event.correlationId,
      actor: event.actor
    })
    if (event.tenant !== undefined) own = Context.add(own, CurrentTenant, event.tenant)
    if (baggage !== undefined) own = Context.add(own, CurrentBaggage, baggage)
    const run = Effect.runForkWith(surrounding === undefined ? own : Context.add(own, Tracer.ParentSpan, surrounding))
    work.running = run(Effect.onExitPrimitive(guarded, (exit) => Scope.closeUnsafe(scope, exit)))
    return span
  }
}

const Info = PlainRecord.constructorOf<
  [subscriber: string, work: Work, fence: number | undefined, baggage: Baggage | undefined],
  DeliveryInfo
>(function (subscriber, { delivery, progress }, fence, baggage) {
  this.subscriber = subscriber
  this.attempt = progress.attempt
  this.firstFailure = progress.firstFailure === undefined ? undefined : new Date(progress.firstFailure)
  this.redelivered = delivery.redelivered
  this.replays = progress.replays
  this.headers = RuntimeHeaders.userHeaders(delivery)
  this.fence = fence
  if (baggage !== undefined) this.baggage = baggage
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
