/**
 * Calls the user's handler for an event whose turn has come: with the event alone, or in a batch, where each
 * event ends with its own part of the outcome. Code that starts, interrupts and settles sees no difference.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { constVoid, identity } from "effect/Function"
import * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import type { Actor } from "../../event/Actor.ts"
import type * as Envelope from "../../event/Envelope.ts"
import type * as Event from "../../event/Event.ts"
import { type Baggage, CurrentBaggage } from "../../event/flow/Baggage.ts"
import { CurrentTenant } from "../../event/flow/Tenant.ts"
import * as Spans from "../../observe/Spans.ts"
import type * as Trace from "../../observe/Trace.ts"
import * as Expiry from "../delivery/Expiry.ts"
import * as Returns from "../delivery/Returns.ts"
import * as SafeFailure from "../delivery/SafeFailure.ts"
import { type Running, startsOf, type Work } from "../delivery/Work.ts"
import * as HandlerReturn from "../subscriber/HandlerReturn.ts"
import { HandlerTimeout } from "../subscriber/HandlerError.ts"
import type { DeliveryInfo, Handler } from "../subscriber/SubscriberOptions.ts"
import type { Plan } from "../subscriber/SubscriberSettings.ts"
import { CurrentHandling, type Handling } from "../support/CurrentHandling.ts"
import { Batcher } from "./Batcher.ts"
import * as BatchOutcome from "./BatchOutcome.ts"

export interface HandlerCall<R> {
  /** How many events one handler takes at most. */
  readonly size: number
  readonly handle: (
    work: Work,
    delivery: DeliveryInfo,
    span: Tracer.AnySpan | undefined
  ) => Effect.Effect<unknown, unknown, R>
  /** Of a handler of batches: the same without a fiber for each event. */
  readonly join: ((work: Work, delivery: DeliveryInfo, span: Tracer.AnySpan | undefined) => Running) | undefined
  /** From now on no batch waits for more events. */
  readonly flush: () => void
  /** Sets how many handlers run at once from now on. */
  readonly setConcurrency: (count: number) => void
}

export interface HandlerCallParts<E extends Event.Any, Err, R> {
  readonly subscriber: {
    readonly name: string
    readonly plan: Plan<E, Err, R>
    readonly concurrency: number
    readonly contracts: ReadonlyMap<string, E>
  }
  readonly context: Context.Context<R>
  readonly trace: Trace.Trace
}

export const make = <E extends Event.Any, Err, R>(parts: HandlerCallParts<E, Err, R>): HandlerCall<R> => {
  const { plan } = parts.subscriber
  return plan._tag === "Single" ? single(plan.handler) : batched(parts, plan)
}

// The contract found by an event's type made its data, so it is one of the union.
const typed = <E extends Event.Any>({ event }: Work): Envelope.Of<E> => event as Envelope.Of<E>

const single = <E extends Event.Any, Err, R>(handler: Handler<E, Err, R>): HandlerCall<R> => ({
  size: 1,
  handle: (work, delivery) => Effect.suspend(() => HandlerReturn.effectOf(handler(typed<E>(work), delivery))),
  join: undefined,
  flush: () => {},
  setConcurrency: () => {}
})

/** An event in a batch. A class for the reason in `PlainRecord`. */
class Member {
  readonly work: Work
  readonly delivery: DeliveryInfo
  /** The span of its own attempt. */
  readonly span: Tracer.AnySpan | undefined

  constructor(work: Work, delivery: DeliveryInfo, span: Tracer.AnySpan | undefined) {
    this.work = work
    this.delivery = delivery
    this.span = span
  }

  /** Whether it may kill the process. It runs as soon as it can then, so that no other is suspected with it. */
  get isAlone(): boolean {
    const { delivery, origin } = this.work
    return origin.isolated || Returns.countOf(delivery) >= Returns.suspiciousCount || startsOf(this.work) > 0
  }
}

type BatchPlan<E extends Event.Any, Err, R> = Extract<Plan<E, Err, R>, { readonly _tag: "Batch" }>

const batched = <E extends Event.Any, Err, R>(
  parts: HandlerCallParts<E, Err, R>,
  plan: BatchPlan<E, Err, R>
): HandlerCall<R> => {
  const { context, subscriber } = parts
  const { deadlineMillis, maxWaitMillis, size } = plan
  const timedOut = Exit.fail(new HandlerTimeout({ deadline: Duration.millis(deadlineMillis) }))
  const batcher = new Batcher<Member, R>({
    size,
    maxWaitMillis,
    deadlineMillis,
    concurrency: subscriber.concurrency,
    context,
    run: batchRunner(parts, plan),
    outcome: (members, exit) => outcomeOfEach(subscriber.contracts, members, exit ?? timedOut)
  })
  return {
    size,
    handle: (work, delivery, span) => {
      const member = new Member(work, delivery, span)
      return batcher.joined(member, member.isAlone)
    },
    join: (work, delivery, span) => {
      const member = new Member(work, delivery, span)
      return batcher.join(member, member.isAlone)
    },
    flush: () => batcher.flush(),
    setConcurrency: (count) => batcher.setConcurrency(count)
  }
}

/** Runs the handler of a batch with a Scope, a span that links to the attempts of its events, and their cause. */
const batchRunner = <E extends Event.Any, Err, R>(
  { context, subscriber, trace }: HandlerCallParts<E, Err, R>,
  { handler }: BatchPlan<E, Err, R>
) => {
  const startSpan = Spans.batch(trace, subscriber.name)
  const endSpan = (span: Tracer.Span, works: ReadonlyArray<Work>, exit: Exit.Exit<unknown, unknown>): void => {
    const safe = SafeFailure.redactExit(exit, SafeFailure.redactorOf(subscriber.contracts, works))
    trace.end(span, safe, SafeFailure.tagOf(exit))
  }
  const clock = Context.get(context, Clock.Clock)
  return (all: ReadonlyArray<Member>): Effect.Effect<unknown, unknown, R> => {
    const members = withoutExpired(all, clock.currentTimeMillisUnsafe())
    if (members.length === 0) return Effect.void
    const works = members.map(({ work }) => work)
    // The batch before it may have ended just now: see the start of a handler in Runner.
    const origins = new Set(works.filter(({ delivery }) => delivery.redelivered).map(({ origin }) => origin))
    for (const origin of origins) origin.flush(constVoid)
    const scope = Scope.makeUnsafe()
    const span = startSpan(members.flatMap((member) => member.span ?? []))
    const handling = causeOf(works, members)
    const tenant = sharedBy(works, ({ event }) => event.tenant)
    const baggage = sharedBy(members, ({ delivery }) => delivery.baggage, textOf)
    return Effect.suspend(() =>
      HandlerReturn.effectOf(
        handler(
          works.map((work) => typed<E>(work)),
          members.map(({ delivery }) => delivery)
        )
      )
    ).pipe(
      (handled) => Effect.onExitPrimitive(handled, (exit) => Scope.closeUnsafe(scope, exit)),
      (closed) =>
        span === undefined ? closed : Effect.onExit(closed, (exit) => Effect.sync(() => endSpan(span, works, exit))),
      Effect.updateContext((current: Context.Context<R>) => {
        let own = Context.add(Context.add(current, Scope.Scope, scope), CurrentHandling, handling)
        if (tenant !== undefined) own = Context.add(own, CurrentTenant, tenant)
        if (baggage !== undefined) own = Context.add(own, CurrentBaggage, baggage)
        return span === undefined ? own : Context.add(own, Tracer.ParentSpan, span)
      })
    )
  }
}

/** What expired while its batch waited does not run with it. */
const withoutExpired = (members: ReadonlyArray<Member>, now: number): ReadonlyArray<Member> => {
  let expired = 0
  for (const { work } of members) {
    if (!Expiry.isOver(work.event.expiryTime, now)) continue
    work.hasExpired = true
    expired++
  }
  return expired === 0 ? members : members.filter(isHandled)
}

const isHandled = ({ work }: Member): boolean => !work.hasExpired

/** The exit of each event of a batch, by its position. */
const outcomeOfEach = (
  contracts: ReadonlyMap<string, Event.Any>,
  members: ReadonlyArray<Member>,
  exit: Exit.Exit<unknown, unknown>
): ((index: number) => Exit.Exit<unknown, unknown>) => {
  if (!members.every(isHandled)) {
    const handled = members.filter(isHandled)
    const outcome = outcomeOfEach(contracts, handled, exit)
    let place = 0
    const exits = members.map((member) => (isHandled(member) ? outcome(place++) : Exit.fail(Expiry.unstarted())))
    return (index) => exits[index] ?? Exit.fail(Expiry.unstarted())
  }
  const works = members.map(({ work }) => work)
  const outcomeOf = BatchOutcome.read(
    works.map(({ event }) => event),
    exit
  )
  const clean = SafeFailure.redactorOf(contracts, works)
  return (index) => {
    const outcome = outcomeOf(index)
    const work = works[index]
    if (work !== undefined) {
      work.redact = outcome.shared ? clean : undefined
      work.handledByBatch = Exit.isSuccess(outcome.exit)
    }
    return outcome.exit
  }
}

/** What a batch publishes has a single cause only when it is a batch of one, and the rest only when all of it share that. */
const causeOf = (works: ReadonlyArray<Work>, members: ReadonlyArray<Member>): Handling => ({
  id: works.length === 1 ? works[0]?.event.id : undefined,
  correlationId: sharedBy(works, ({ event }) => event.correlationId),
  actor: sharedBy(works, ({ event }) => event.actor, nameOf),
  ...(members.some(({ delivery }) => delivery.baggage !== undefined) && {
    baggageOf: (event) => members.find(({ work }) => work.event === event)?.delivery.baggage
  })
})

/** What all of them have; undefined where one has another, or none. */
const sharedBy = <A, B>(
  all: ReadonlyArray<A>,
  read: (one: A) => B | undefined,
  name: (value: B) => unknown = identity
): B | undefined => {
  const [first] = all
  const value = first === undefined ? undefined : read(first)
  if (value === undefined) return undefined
  const named = name(value)
  return all.every((one) => {
    const other = read(one)
    return other !== undefined && name(other) === named
  })
    ? value
    : undefined
}

const nameOf = ({ id, role, status }: Actor): string => JSON.stringify([id, role, status])
const textOf = ({ text }: Baggage): string => text
