/** Sends the answers of a replier: each until it has arrived, or until nobody waits for it. */
import type * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import type { DataCodec } from "../../event/DataCodec.ts"
import type { InvalidEvent, UnknownVersion } from "../../event/EventError.ts"
import type * as Event from "../../event/Event.ts"
import * as Later from "../../event/standard/Later.ts"
import type * as Meter from "../../observe/Meter.ts"
import type { Start } from "../publish/Publisher.ts"
import type { Confirmed } from "../publish/PublishOptions.ts"
import type { PublishError } from "../send/PublishError.ts"
import { Later as TryLater, Reject } from "../subscriber/HandlerError.ts"
import type { Alarm, Alarms } from "../support/Alarms.ts"
import * as Backoff from "../support/Backoff.ts"
import * as Validation from "../support/Validation.ts"
import * as Reply from "./Reply.ts"

/** How often an answer that reaches nobody is sent again: the asker may be connecting. */
const resending: Backoff.Backoff = { baseMillis: 100, capMillis: 1_000, jitter: "equal" }
const resendMillis = 10_000
/** As many processes ask one replier. */
const mostAddresses = 1_000

/** The request that an answer is about. */
export interface About {
  readonly causationId: string
  readonly correlationId: string
}

/** Publishes answers. */
export class Answers {
  readonly clock: Clock.Clock
  readonly alarms: Alarms
  readonly publish: Start
  private readonly late: Meter.Series
  private readonly contracts = new Map<string, typeof Reply.Reply>()

  constructor(clock: Clock.Clock, alarms: Alarms, publish: Start, late: Meter.Series) {
    this.clock = clock
    this.alarms = alarms
    this.publish = publish
    this.late = late
  }

  isLate(): void {
    this.late.update(1)
  }

  contractOf(address: string): typeof Reply.Reply {
    const known = this.contracts.get(address)
    if (known !== undefined) return known
    if (this.contracts.size >= mostAddresses) this.contracts.clear()
    const made = Reply.to(address)
    this.contracts.set(address, made)
    return made
  }
}

type Sent = Exit.Exit<void, PublishError>

/** One answer on its way. `ended` is called once, unless it is interrupted. */
export class SendingAnswer {
  private readonly answers: Answers
  private readonly asker: Reply.Asker
  private readonly answer: Reply.Answer
  private readonly about: About
  private readonly context: Context.Context<never>
  private readonly ended: (exit: Sent) => void
  private readonly until: number
  private attempt = 0
  private isOver = false
  private current: { readonly interrupt: () => void } | undefined

  constructor(
    answers: Answers,
    asker: Reply.Asker,
    answer: Reply.Answer,
    about: About,
    context: Context.Context<never>,
    ended: (exit: Sent) => void
  ) {
    this.answers = answers
    this.asker = asker
    this.answer = answer
    this.about = about
    this.context = context
    this.ended = ended
    this.until = Math.min(asker.until, answers.clock.currentTimeMillisUnsafe() + resendMillis)
  }

  send(): void {
    const { answers, asker } = this
    const timeout = Math.max(1, asker.until - answers.clock.currentTimeMillisUnsafe())
    const contract = answers.contractOf(asker.address)
    try {
      const current = answers.publish(contract, this.answer, { ...this.about, timeout }, this.context, this.published)
      // It may be answered within the call, and be on its way again.
      this.current ??= current
    } catch (defect) {
      this.end(Exit.die(defect))
    }
  }

  interrupt(): void {
    this.isOver = true
    this.current?.interrupt()
  }

  private readonly published = (exit: Exit.Exit<Confirmed, PublishError>): void => {
    this.current = undefined
    if (this.isOver) return
    if (Exit.isFailure(exit)) return this.end(Exit.failCause(exit.cause))
    if (exit.value.routed === true) return this.end(Exit.void)
    if (this.answers.clock.currentTimeMillisUnsafe() >= this.until) {
      this.answers.isLate()
      return this.end(Exit.void)
    }
    const waiting = Effect.runForkWith(this.context)(
      Effect.andThen(
        Backoff.wait(resending, this.attempt++),
        Effect.sync(() => {
          this.current = undefined
          this.send()
        })
      )
    )
    this.current = { interrupt: () => waiting.interruptUnsafe() }
  }

  private end(exit: Sent): void {
    this.isOver = true
    this.ended(exit)
  }
}

/** What an attempt to answer is made of. */
export interface Attempt<Err, R> {
  readonly answers: Answers
  readonly asker: Reply.Asker
  /** How long its asker waits, in milliseconds. */
  readonly left: number
  readonly subscriber: string
  readonly contract: Event.AnyRequest
  readonly about: About
  readonly handled: Effect.Effect<unknown, Err, R>
  /** Of the fiber of the attempt. */
  readonly context: Context.Context<R>
}

/** The outcome of an attempt. */
export type Answered<Err> = Effect.Effect<void, Err | PublishError | Reject>

/** One attempt to handle a request and to answer it, which ends when its asker waits no longer. */
export class Answering<Err, R> implements Alarm {
  readonly due: number
  private readonly parts: Attempt<Err, R>
  private readonly resume: (outcome: Answered<Err>) => void
  private handler: Fiber.Fiber<unknown, Err> | undefined
  private sending: SendingAnswer | undefined
  private hasEnded = false

  constructor(parts: Attempt<Err, R>, resume: (outcome: Answered<Err>) => void) {
    this.parts = parts
    this.resume = resume
    this.due = parts.answers.alarms.now() + parts.left
  }

  begin(): void {
    const { answers, context, handled } = this.parts
    answers.alarms.set(this)
    this.handler = Effect.runForkWith(context)(handled)
    this.handler.addObserver(this.handled)
  }

  readonly ring = (): void => {
    if (this.hasEnded) return
    this.parts.answers.isLate()
    this.end(this.interrupted())
  }

  /** Ends what runs. Completes when the handler has ended. */
  interrupted(): Effect.Effect<void> {
    this.hasEnded = true
    this.parts.answers.alarms.takeBack(this)
    this.sending?.interrupt()
    return this.handler === undefined ? Effect.void : Fiber.interrupt(this.handler)
  }

  private readonly handled = (exit: Exit.Exit<unknown, Err>): void => {
    if (this.hasEnded) return
    try {
      this.answer(exit)
    } catch (defect) {
      // A codec of the user threw.
      this.end(Exit.die(defect))
    }
  }

  private answer(exit: Exit.Exit<unknown, Err>): void {
    const { error: errorCodec, reply } = this.parts.contract.answers
    if (Exit.isSuccess(exit)) return this.encode(reply, exit.value, "reply", invalidReply)
    const failure = Cause.findError(exit.cause)
    if (Result.isFailure(failure) || errorCodec === undefined || isNoAnswer(failure.success)) return this.end(exit)
    this.encode(errorCodec, failure.success, "error", () => failure.success)
  }

  private encode(
    codec: DataCodec,
    value: unknown,
    outcome: "reply" | "error",
    refusal: (cause: InvalidEvent | UnknownVersion) => Err | Reject
  ): void {
    const { about, answers, asker, context, contract, subscriber } = this.parts
    const json: Later.Outcome<unknown> =
      codec.validate === undefined ? codec.encode(value) : Result.map(codec.validate(value), (valid) => valid.json)
    const send = (known: Later.Outcome<unknown>): void => {
      if (this.hasEnded) return
      if (Result.isFailure(known)) return this.end(Exit.fail(refusal(known.failure)))
      const answer = { subscriber, outcome, value: known.success }
      this.sending = new SendingAnswer(answers, asker, answer, about, context, this.sent)
      this.sending.send()
    }
    if (Later.waiting(json) === undefined) return send(json)
    const settled = Validation.settled(contract.name, json, Validation.defaultMillis)
    this.handler = Effect.runForkWith(context)(Effect.map(settled, send))
  }

  private readonly sent = (exit: Sent): void => {
    if (!this.hasEnded) this.end(Exit.isSuccess(exit) ? exit : Effect.catch(exit, refused))
  }

  private end(outcome: Answered<Err>): void {
    this.hasEnded = true
    this.parts.answers.alarms.takeBack(this)
    this.resume(outcome)
  }
}

/** What a handler says about the delivery is for its own process. */
const isNoAnswer = (error: unknown): boolean => error instanceof Reject || error instanceof TryLater

const invalidReply = (cause: InvalidEvent | UnknownVersion): Reject =>
  new Reject({ reason: `the reply is not what its contract says: ${cause.message}`, cause })

/** An answer that can never be sent is no reason to handle the request again. */
const refused = (error: PublishError): Effect.Effect<never, PublishError | Reject> =>
  Effect.fail(
    error.reason._tag === "Invalid"
      ? new Reject({ reason: `the answer cannot be sent: ${error.message}`, cause: error })
      : error
  )
