/**
 * A subscriber that answers: its handler's result goes to the process that asked, as does an error that the contract declares
 * and the end as a dead letter. Everything else is as for every subscriber.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { DataCodec } from "../../event/DataCodec.ts"
import type * as Envelope from "../../event/Envelope.ts"
import type { InvalidEvent, UnknownVersion } from "../../event/EventError.ts"
import type * as Event from "../../event/Event.ts"
import * as Meter from "../../observe/Meter.ts"
import * as RequestMetrics from "../../observe/RequestMetrics.ts"
import type { OnDeadLetter } from "../delivery/PolicyParts.ts"
import type { Publisher } from "../publish/Publisher.ts"
import type * as Diagnosis from "../send/Diagnosis.ts"
import type { PublishError } from "../send/PublishError.ts"
import { Later, Reject } from "../subscriber/HandlerError.ts"
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
import * as Backoff from "../support/Backoff.ts"
import * as Validation from "../support/Validation.ts"
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
  readonly publish: Publisher["publish"]
  readonly start: <E extends Event.AnyRequest, Err, R>(
    name: string,
    options: SingleOptions<E, Err, R>,
    onDeadLetter: OnDeadLetter
  ) => Started<R>
}

/** How often an answer that reaches nobody is sent again: the asker may be connecting. */
const resending: Backoff.Backoff = { baseMillis: 100, capMillis: 1_000, jitter: "equal" }
const resendMillis = 10_000
/** As many processes ask one replier. */
const mostAddresses = 1_000

export const make = Effect.fnUntraced(function* ({ publish, start }: ReplierParts) {
  const late = Meter.series(RequestMetrics.late, yield* Effect.context<never>())
  const answers = new Answers(yield* Clock.Clock, publish, late)
  const scope = yield* Effect.scope
  const onDeadLetter: OnDeadLetter = ({ headers }, diagnosis) => {
    // The dead letter is the record: an asker that cannot be reached waits for its deadline.
    Effect.runFork(Effect.forkIn(Effect.ignore(answers.deadLetter(headers, diagnosis)), scope))
  }
  const reply = <Q extends Event.AnyRequest, Err, R>(
    name: string,
    options: ReplyOptions<Q, Effect.Effect<unknown, Err, R>>
  ): Started<R> => {
    const reason = OptionKinds.checkReplier(options)
    if (reason !== undefined) return Effect.fail(new SubscribeError({ subscriber: String(name), reason }))
    const { handler, to, ...others } = options
    const made = madeOf(answers.answering(name, to, handler), handler)
    // An error that the contract declares is an answer, and reaches no retry policy.
    const all = { ...others, events: [to], handler: made } as SingleOptions<Q, Err | PublishError | Reject, R>
    return start(name, all, onDeadLetter)
  }
  // `Returned` is an Effect, as the type of the options says.
  return reply as StartReply
})

/** Answers requests. */
class Answers {
  private readonly clock: Clock.Clock
  private readonly publish: Publisher["publish"]
  private readonly isLate: Effect.Effect<void>
  private readonly contracts = new Map<string, typeof Reply.Reply>()

  constructor(clock: Clock.Clock, publish: Publisher["publish"], late: Meter.Series) {
    this.clock = clock
    this.publish = publish
    this.isLate = Effect.sync(() => late.update(1))
  }

  /** A handler whose result is the answer to its event. */
  answering<Q extends Event.AnyRequest, Err, R>(
    subscriber: string,
    contract: Q,
    handler: Handler<Q, Err, R>
  ): Handler<Q, Err | PublishError | Reject, R> {
    return (event, delivery) =>
      Effect.suspend((): Effect.Effect<unknown, Err | PublishError | Reject, R> => {
        const handled = Effect.suspend(() => HandlerReturn.effectOf<Err, R>(handler(event, delivery)))
        const now = this.clock.currentTimeMillisUnsafe()
        const asker = Reply.askerOf(delivery.headers, now)
        if (asker === undefined) return handled
        const left = asker.until - now
        if (left <= 0) return this.isLate
        const answer = (outcome: "reply" | "error", value: unknown) =>
          Effect.catch(this.send(asker, { subscriber, outcome, value }, causeOf(event)), refused)
        return Effect.timeoutOrElse(Effect.matchEffect(handled, outcomesOf(contract, answer)), {
          duration: left,
          orElse: () => this.isLate
        })
      })
  }

  deadLetter(
    headers: Readonly<Record<string, unknown>>,
    { error, eventId, reason, subscriber }: Diagnosis.Diagnosis
  ): Effect.Effect<void, PublishError> {
    const now = this.clock.currentTimeMillisUnsafe()
    const asker = Reply.askerOf(headers, now)
    if (asker === undefined || asker.until <= now) return Effect.void
    const value = { reason, error: error.tag, detail: error.message }
    const cause = { causationId: eventId, correlationId: eventId }
    return this.send(asker, { subscriber, outcome: "dead-letter", value }, cause)
  }

  /** Sends an answer until it arrives, or nobody waits for it. */
  private send(asker: Reply.Asker, answer: Reply.Answer, cause: Cause): Effect.Effect<void, PublishError> {
    const { clock, isLate, publish } = this
    const contract = this.contractOf(asker.address)
    return Effect.gen(function* () {
      const until = Math.min(asker.until, clock.currentTimeMillisUnsafe() + resendMillis)
      for (let attempt = 0; ; attempt++) {
        const timeout = Math.max(1, asker.until - clock.currentTimeMillisUnsafe())
        const { routed } = yield* publish(contract, answer, { ...cause, timeout })
        if (routed === true) return
        if (clock.currentTimeMillisUnsafe() >= until) return yield* isLate
        yield* Backoff.wait(resending, attempt)
      }
    })
  }

  private contractOf(address: string): typeof Reply.Reply {
    const known = this.contracts.get(address)
    if (known !== undefined) return known
    if (this.contracts.size >= mostAddresses) this.contracts.clear()
    const made = Reply.to(address)
    this.contracts.set(address, made)
    return made
  }
}

/** What becomes of a reply, and of a failure: an answer, or a failure of the attempt. */
const outcomesOf = <Err>(
  contract: Event.AnyRequest,
  answer: (outcome: "reply" | "error", value: unknown) => Effect.Effect<void, PublishError | Reject>
) => {
  type Answered = Effect.Effect<void, Err | PublishError | Reject>
  const { error: errorCodec, reply: replyCodec } = contract.answers
  return {
    onSuccess: (reply: unknown): Answered =>
      Effect.flatMap(encoded(contract, replyCodec, reply), (json): Answered =>
        Result.isSuccess(json) ? answer("reply", json.success) : Effect.fail(invalidReply(json.failure))
      ),
    onFailure: (error: Err): Answered =>
      errorCodec === undefined || error instanceof Reject || error instanceof Later
        ? Effect.fail(error)
        : Effect.flatMap(encoded(contract, errorCodec, error), (json): Answered =>
            Result.isSuccess(json) ? answer("error", json.success) : Effect.fail(error)
          )
  }
}

/** The request that an answer is about. */
interface Cause {
  readonly causationId: string
  readonly correlationId: string
}

const causeOf = ({ correlationId, id }: Envelope.Envelope): Cause => ({
  causationId: id,
  correlationId: correlationId ?? id
})

const encoded = (contract: Event.AnyRequest, codec: DataCodec, value: unknown) => {
  const outcome =
    codec.validate === undefined ? codec.encode(value) : Result.map(codec.validate(value), ({ json }) => json)
  return Validation.settled<unknown>(contract.name, outcome, Validation.defaultMillis)
}

const invalidReply = (cause: InvalidEvent | UnknownVersion): Reject =>
  new Reject({ reason: `the reply is not what its contract says: ${cause.message}`, cause })

/** An answer that can never be sent is no reason to handle the request again. */
const refused = (error: PublishError): Effect.Effect<never, PublishError | Reject> =>
  Effect.fail(
    error.reason._tag === "Invalid"
      ? new Reject({ reason: `the answer cannot be sent: ${error.message}`, cause: error })
      : error
  )
