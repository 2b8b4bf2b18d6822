/**
 * A subscriber that answers: its handler's result goes to the process that asked, as does an error that the contract declares
 * and the end as a dead letter. Everything else is as for every subscriber.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Context from "effect/Context"
import type * as Envelope from "../../event/Envelope.ts"
import type * as Event from "../../event/Event.ts"
import * as Meter from "../../observe/Meter.ts"
import * as RequestMetrics from "../../observe/RequestMetrics.ts"
import type { OnDeadLetter } from "../delivery/PolicyParts.ts"
import type { Start } from "../publish/Publisher.ts"
import type * as Diagnosis from "../send/Diagnosis.ts"
import type { PublishError } from "../send/PublishError.ts"
import type { Reject } from "../subscriber/HandlerError.ts"
import * as HandlerReturn from "../subscriber/HandlerReturn.ts"
import * as OptionKinds from "../subscriber/OptionKinds.ts"
import { SubscribeError } from "../subscriber/SubscribeError.ts"
import { madeOf } from "../subscriber/WrittenHandler.ts"
import type {
  CommonOptions,
  DeliveryInfo,
  Handler,
  ReturnsEffect,
  SingleOptions,
  Started
} from "../subscriber/SubscriberOptions.ts"
import * as Alarms from "../support/Alarms.ts"
import { Answering, Answers, SendingAnswer } from "./Answering.ts"
import * as Reply from "./Reply.ts"

/**
 * The options of a subscriber that answers requests, by what its handler returns: an Effect, or one of several Effects. A batch
 * has no answer, and neither has a transaction that may be repeated.
 */
export interface ReplyOptions<Q extends Event.AnyRequest, Returned> extends Omit<
  CommonOptions<Q, Exclude<Effect.Error<Returned>, Q["ErrorInput"]> | PublishError>,
  "events"
> {
  /** The request that it answers. */
  readonly to: Q
  /**
   * Succeeds with the reply. An error that the request declares is an answer, too. Any other failure is a failed attempt, and
   * the asker learns of the dead letter, if there is one before its time is over. A handler whose asker waits no longer is
   * interrupted, and its request is acknowledged.
   */
  readonly handler: (request: Envelope.Of<Q>, delivery: DeliveryInfo) => Returned
}

/** Adds nothing to the options of a handler that replies by its contract. For any other it is the error that is shown. */
export type Replies<Q extends Event.AnyRequest, Returned> = ReturnsEffect<Returned> &
  ([Effect.Success<Returned>] extends [Q["ReplyInput"]]
    ? unknown
    : { readonly handler: "A handler succeeds with the `reply` of its request" })

export interface StartReply {
  <Q extends Event.AnyRequest, Returned>(
    name: string,
    options: ReplyOptions<Q, Returned> & Replies<Q, Returned>
  ): Started<Effect.Services<Returned>>
}

export interface ReplierParts {
  readonly publish: Start
  readonly start: <E extends Event.AnyRequest, Err, R>(
    name: string,
    options: SingleOptions<E, Err, R>,
    onDeadLetter: OnDeadLetter
  ) => Started<R>
}

export const make = Effect.fnUntraced(function* ({ publish, start }: ReplierParts) {
  const late = Meter.series(RequestMetrics.late, yield* Effect.context<never>())
  const answers = new Answers(yield* Clock.Clock, yield* Alarms.make, publish, late)
  const scope = yield* Effect.scope
  const onDeadLetter: OnDeadLetter = ({ headers }, diagnosis) => {
    // The dead letter is the record: an asker that cannot be reached waits for its deadline.
    Effect.runFork(Effect.forkIn(Effect.ignore(deadLettered(answers, headers, diagnosis)), scope))
  }
  const reply = <Q extends Event.AnyRequest, Err, R>(
    name: string,
    options: ReplyOptions<Q, Effect.Effect<unknown, Err, R>>
  ): Started<R> => {
    const reason = OptionKinds.checkReplier(options)
    if (reason !== undefined) return Effect.fail(new SubscribeError({ subscriber: String(name), reason }))
    const { handler, to, ...others } = options
    const made = madeOf(answering(answers, name, to, handler), handler)
    // An error that the contract declares is an answer, and reaches no retry policy.
    const all = { ...others, events: [to], handler: made } as SingleOptions<Q, Err | PublishError | Reject, R>
    return start(name, all, onDeadLetter)
  }
  // `Returned` is an Effect, as the type of the options says.
  return reply as StartReply
})

/** A handler whose result is the answer to its event. */
const answering = <Q extends Event.AnyRequest, Err, R>(
  answers: Answers,
  subscriber: string,
  contract: Q,
  handler: Handler<Q, Err, R>
): Handler<Q, Err | PublishError | Reject, R> => {
  return (event, delivery) =>
    Effect.suspend((): Effect.Effect<unknown, Err | PublishError | Reject, R> => {
      const handled = Effect.suspend(() => HandlerReturn.effectOf<Err, R>(handler(event, delivery)))
      const now = answers.clock.currentTimeMillisUnsafe()
      const asker = Reply.askerOf(delivery.headers, now)
      if (asker === undefined) return handled
      const left = asker.until - now
      if (left <= 0) return Effect.sync(() => answers.isLate())
      const about = { causationId: event.id, correlationId: event.correlationId ?? event.id }
      return Effect.contextWith((context: Context.Context<R>) =>
        Effect.callback<void, Err | PublishError | Reject>((resume) => {
          const parts = { answers, asker, left, subscriber, contract, about, handled, context }
          const attempt = new Answering(parts, resume)
          attempt.begin()
          return Effect.suspend(() => attempt.interrupted())
        })
      )
    })
}

/** Tells the asker of a request that it became a dead letter. */
const deadLettered = (
  answers: Answers,
  headers: Readonly<Record<string, unknown>>,
  { error, eventId, reason, subscriber }: Diagnosis.Diagnosis
): Effect.Effect<void, PublishError> => {
  const now = answers.clock.currentTimeMillisUnsafe()
  const asker = Reply.askerOf(headers, now)
  if (asker === undefined || asker.until <= now) return Effect.void
  const value = { reason, error: error.tag, detail: error.message }
  const about = { causationId: eventId, correlationId: eventId }
  return Effect.contextWith((context: Context.Context<never>) =>
    Effect.callback<void, PublishError>((resume) => {
      const answer = { subscriber, outcome: "dead-letter", value } as const
      const sending = new SendingAnswer(answers, asker, answer, about, context, resume)
      sending.send()
      return Effect.sync(() => sending.interrupt())
    })
  )
}
