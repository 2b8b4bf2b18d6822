/**
 * What a subscriber does with an event whose turn has come: its handler for one, or a place in a batch
 * and the part of what came of it that concerns this event. To whoever starts, interrupts and settles
 * there is no difference.
 */
import { Context, Duration, Effect, Exit, Scope, Tracer } from "effect"
import type * as Envelope from "../event/Envelope.ts"
import type * as Event from "../event/Event.ts"
import type * as Trace from "../observe/Trace.ts"
import * as Spans from "../observe/Spans.ts"
import * as Batcher from "./Batcher.ts"
import * as BatchOutcome from "./BatchOutcome.ts"
import { HandlerTimeout } from "./BusError.ts"
import * as Caution from "./Caution.ts"
import { CurrentHandling, type Handling } from "./Handling.ts"
import * as Quoting from "./Quoting.ts"
import type { BatchHandler, DeliveryInfo, Handler } from "./SubscriberOptions.ts"
import type { Work } from "./Work.ts"

/** What the user gave. */
export type Plan<E extends Event.Any, Err, R> =
  | { readonly _tag: "Single"; readonly handler: Handler<E, Err, R> }
  | {
      readonly _tag: "Batch"
      readonly handler: BatchHandler<E, Err, R>
      readonly size: number
      readonly withinMillis: number
      readonly deadlineMillis: number
    }

export interface Behaviour<R> {
  /** How many events one handler takes at most. */
  readonly size: number
  readonly handle: (
    work: Work,
    delivery: DeliveryInfo,
    span: Tracer.AnySpan | undefined
  ) => Effect.Effect<unknown, unknown, R>
  /** Nothing is collected any more. */
  readonly flush: () => void
  /** Handlers at work at once. */
  readonly setConcurrency: (count: number) => void
}

interface Joined {
  readonly work: Work
  readonly delivery: DeliveryInfo
  readonly span: Tracer.AnySpan | undefined
}

export const make = <E extends Event.Any, Err, R>(options: {
  readonly subscriber: {
    readonly name: string
    readonly behaviour: Plan<E, Err, R>
    readonly concurrency: number
    readonly contracts: ReadonlyMap<string, E>
  }
  readonly context: Context.Context<R>
  readonly trace: Trace.Trace
}): Behaviour<R> => {
  const { context, subscriber, trace } = options
  const { behaviour, contracts, name } = subscriber
  // The contract found by an event's type made its data, so it is one of the union.
  const typed = ({ event }: Work): Envelope.Of<E> => event as Envelope.Of<E>
  if (behaviour._tag === "Single") {
    const { handler } = behaviour
    return {
      size: 1,
      handle: (work, delivery) => Effect.suspend(() => handler(typed(work), delivery)),
      flush: () => {},
      setConcurrency: () => {}
    }
  }

  const { deadlineMillis, handler, size, withinMillis } = behaviour
  const timedOut = Exit.fail(new HandlerTimeout({ deadline: Duration.millis(deadlineMillis) }))

  const spans = Spans.batch(trace, name)

  const attempt = (joined: ReadonlyArray<Joined>): Effect.Effect<unknown, unknown, R> => {
    const works = joined.map(({ work }) => work)
    const scope = Scope.makeUnsafe()
    const span = spans(joined.flatMap((one) => one.span ?? []))
    const handling = causeOf(works)
    return Effect.suspend(() =>
      handler(
        works.map(typed),
        joined.map(({ delivery }) => delivery)
      )
    ).pipe(
      (handled) => Effect.onExitPrimitive(handled, (exit) => Scope.closeUnsafe(scope, exit)),
      (closed) =>
        span === undefined
          ? closed
          : Effect.onExit(closed, (exit) =>
              Effect.sync(() => {
                const clean = Quoting.told(exit, Quoting.ofAll(contracts, works))
                trace.end(span, clean, Quoting.tagOf(exit))
              })
            ),
      Effect.updateContext((current: Context.Context<R>) => {
        const own = Context.add(Context.add(current, Scope.Scope, scope), CurrentHandling, handling)
        return span === undefined ? own : Context.add(own, Tracer.ParentSpan, span)
      })
    )
  }

  const batcher = Batcher.make<Joined, R>({
    size,
    withinMillis,
    deadlineMillis,
    concurrency: subscriber.concurrency,
    context,
    run: attempt,
    outcome: (joined, exit) => {
      const works = joined.map(({ work }) => work)
      const read = BatchOutcome.read(
        works.map(({ event }) => event),
        exit ?? timedOut
      )
      const clean = Quoting.ofAll(contracts, works)
      return (index) => {
        const outcome = read(index)
        const work = works[index]
        if (work !== undefined) {
          work.clean = outcome.shared ? clean : undefined
          work.achieved = Exit.isSuccess(outcome.exit)
        }
        return outcome.exit
      }
    }
  })
  return {
    size,
    handle: (work, delivery, span) =>
      // What is suspected to kill the process runs as soon as it can, so that it is alone with its guilt.
      batcher.join(
        { work, delivery, span },
        work.origin.isolated || Caution.countOf(work.delivery) >= Caution.suspiciousCount
      ),
    flush: batcher.flush,
    setConcurrency: batcher.setConcurrency
  }
}

/** What a batch publishes by itself has no single cause; a correlation only when all of its events have it. */
const causeOf = (works: ReadonlyArray<Work>): Handling => {
  const events = works.map(({ event }) => event)
  const [first] = events
  const one = events.length === 1 ? first?.id : undefined
  const correlationId = events.every((event) => event.correlationId === first?.correlationId)
    ? first?.correlationId
    : undefined
  return { id: one, correlationId }
}
