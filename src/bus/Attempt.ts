/**
 * One attempt at an event: the handler with its Scope, its span and the event as the cause of whatever
 * it publishes.
 */
import { Context, Effect, type Fiber, Scope, Tracer } from "effect"
import type * as Trace from "../observe/Trace.ts"
import type { Admission } from "./Admission.ts"
import * as AttemptSpan from "./AttemptSpan.ts"
import type { Behaviour } from "./Behaviour.ts"
import { CurrentHandling } from "./Handling.ts"
import * as RuntimeHeaders from "./RuntimeHeaders.ts"
import type { Work } from "./Work.ts"

export interface Attempt {
  readonly fiber: Fiber.Fiber<unknown, unknown>
  /** To be ended with the attempt; undefined when no tracer is configured. */
  readonly span: Tracer.Span | undefined
}

export const maker = <R>(
  subscriber: AttemptSpan.Subject,
  context: Context.Context<R>,
  handler: Behaviour<R>["handle"],
  trace: Trace.Trace,
  admission: Admission | undefined
) => {
  const spans = AttemptSpan.maker(subscriber, trace)
  return (work: Work): Attempt => {
    const { delivery, event, progress } = work
    const scope = Scope.makeUnsafe()
    const { span, surrounding } = spans(work)
    const handle = (fence: number | undefined) =>
      handler(
        work,
        {
          subscriber: subscriber.name,
          attempt: progress.attempt,
          firstFailure: progress.firstFailure === undefined ? undefined : new Date(progress.firstFailure),
          redelivered: delivery.redelivered,
          replays: progress.replays,
          headers: RuntimeHeaders.userHeaders(delivery),
          fence
        },
        surrounding
      )
    const guarded: Effect.Effect<unknown, unknown, R> =
      admission === undefined ? handle(undefined) : admission.admit(work, handle)
    // Given to the fiber from the start, which costs less than to change what it has.
    const own = Context.add(Context.add(context, Scope.Scope, scope), CurrentHandling, {
      id: event.id,
      correlationId: event.correlationId
    })
    const run = Effect.runForkWith(surrounding === undefined ? own : Context.add(own, Tracer.ParentSpan, surrounding))
    return { fiber: run(Effect.onExitPrimitive(guarded, (exit) => Scope.closeUnsafe(scope, exit))), span }
  }
}
