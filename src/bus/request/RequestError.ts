/** Why a request has no answer. */
import * as Duration from "effect/Duration"
import { bounded, faultSchema, quoted } from "../../event/EventError.ts"
import { TaggedClass, TaggedError } from "../../event/Tagged.ts"
import { PublishError } from "../send/PublishError.ts"

/** An option is wrong; nothing was sent. */
export class Invalid extends TaggedClass<Invalid>()("Invalid", (Schema) => ({
  option: Schema.String,
  problem: Schema.String,
  remedy: Schema.String
})) {
  readonly isRetryable = false
  get message(): string {
    return `\`${this.option}\`: ${this.problem}; nothing was sent. ${this.remedy}`
  }
}

/** The request was not published, or perhaps was. Without a subscriber the reason of `error` is `Unroutable`. */
export class NotPublished extends TaggedClass<NotPublished>()("NotPublished", () => ({ error: PublishError })) {
  get isRetryable(): boolean {
    return this.error.isRetryable
  }
  get message(): string {
    return this.error.reason._tag === "Unroutable"
      ? "nobody replies to it: start its `Subscriber.reply` first"
      : this.error.message
  }
}

/** Too many requests of this process wait for answers, or it has no queue for them; nothing was sent. */
export class Unavailable extends TaggedClass<Unavailable>()("Unavailable", (Schema) => ({ detail: Schema.String })) {
  readonly isRetryable = true
  get message(): string {
    return `${this.detail}; nothing was sent`
  }
}

/** No answer came within the deadline. The request may be handled or not; its repliers do not start with it any more. */
export class NoReply extends TaggedClass<NoReply>()("NoReply", (Schema) => ({ deadline: Schema.Duration })) {
  readonly isRetryable = true
  get message(): string {
    return `no answer within ${Duration.format(this.deadline)}, and it may have been handled: ask again, or give a longer \`deadline\``
  }
}

/** A replier dead-lettered the request: its dead letter says why. */
export class DeadLettered extends TaggedClass<DeadLettered>()("DeadLettered", (Schema) => ({
  subscriber: Schema.String,
  /** The reason of the dead letter. */
  reason: Schema.String,
  /** The tag and the text of the last error. */
  error: Schema.String,
  detail: Schema.String
})) {
  readonly isRetryable = false
  get message(): string {
    return `the subscriber "${quoted(this.subscriber)}" dead-lettered it, ${quoted(this.reason)}: ${quoted(this.error)}: ${bounded(this.detail)}; see its dead letters`
  }
}

/** The answer does not match the contract of this process. */
export class InvalidReply extends TaggedClass<InvalidReply>()("InvalidReply", (Schema) => ({
  subscriber: Schema.String,
  faults: Schema.Array(faultSchema(Schema))
})) {
  readonly isRetryable = false
  get message(): string {
    const faults = this.faults.map(({ expected, path }) => `${quoted(path)}: ${expected}`).join("; ")
    return `the subscriber "${quoted(this.subscriber)}" answered what the contract here does not accept (${bounded(faults)}): deploy the same contract to both`
  }
}

export const members = [Invalid, NotPublished, Unavailable, NoReply, DeadLettered, InvalidReply] as const

/** A request without an answer. Errors that its contract declares are errors of their own, and not this one. */
export class RequestError extends TaggedError<RequestError>()("RequestError", (Schema) => ({
  event: Schema.String,
  /** The id of the request: a replier that is `idempotent` handles a repetition with the same id once. */
  id: Schema.String,
  reason: Schema.Union(members)
})) {
  get isRetryable(): boolean {
    return this.reason.isRetryable
  }
  override get message(): string {
    return `request "${quoted(this.event)}" (${quoted(this.id)}) has no answer, ${this.reason._tag}: ${this.reason.message}`
  }
}
