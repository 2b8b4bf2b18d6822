/**
 * Every error of the bus. Each has a tagged `reason` to act on, and `isRetryable` for code that
 * decides without looking at tags.
 */
import { Duration, Schema } from "effect"
import { bounded, Fault, quoted } from "../event/EventError.ts"
import type { BrokerError } from "./BrokerError.ts"
import { BrokerReason } from "./BrokerError.ts"

// -- publish ------------------------------------------------------------------------------------

/** The data, an option or a limit is wrong; nothing was sent. */
export class Invalid extends Schema.TaggedClass<Invalid>()("Invalid", { faults: Schema.Array(Fault) }) {
  readonly isRetryable = false
  get message(): string {
    const told = this.faults.map(({ expected, path }) => (path === "" ? expected : `${quoted(path)}: ${expected}`))
    return `${bounded(told.join("; "))}; nothing was sent`
  }
}

/** The current actor may not publish it; nothing was sent. */
export class Denied extends Schema.TaggedClass<Denied>()("Denied", { role: Schema.String, detail: Schema.String }) {
  readonly isRetryable = false
  get message(): string {
    return `${this.detail}; nothing was sent: provide another CurrentActor or change the event's \`publishers\``
  }
}

/** The broker was not there within the deadline; nothing was sent. */
export class Unavailable extends Schema.TaggedClass<Unavailable>()("Unavailable", { cause: BrokerReason }) {
  get isRetryable(): boolean {
    return this.cause._tag === "Connection"
  }
  get message(): string {
    return `${this.cause.message}; nothing was sent`
  }
}

/** Too much is in flight, or the broker blocks publishers; nothing was sent. */
export class Overloaded extends Schema.TaggedClass<Overloaded>()("Overloaded", { detail: Schema.String }) {
  readonly isRetryable = true
  get message(): string {
    return `${this.detail}; nothing was sent: publish slower, or raise the bound`
  }
}

/** The broker refused to store it in at least one queue; others may have it. */
export class Rejected extends Schema.TaggedClass<Rejected>()("Rejected", {}) {
  readonly isRetryable = true
  get message(): string {
    return "the broker refused to store it in one of its queues (a length limit set by a policy, or no majority); other queues may have it: publish it again later with the same `id`, or raise the limit"
  }
}

/** Nobody is bound to it, and `mandatory` was asked for. */
export class Unroutable extends Schema.TaggedClass<Unroutable>()("Unroutable", {}) {
  readonly isRetryable = false
  get message(): string {
    return "no subscriber is bound to it and `mandatory` was asked for: register the subscriber before publishing"
  }
}

/** It was sent and the answer was lost: it may be stored. Publish again with the same id. */
export class Unknown extends Schema.TaggedClass<Unknown>()("Unknown", {}) {
  readonly isRetryable = true
  get message(): string {
    return "it was sent but the broker's answer was lost, so it may be stored: publish it again with the same `id`, so that the duplicate can be told"
  }
}

export const PublishReason = Schema.Union([Invalid, Denied, Unavailable, Overloaded, Rejected, Unroutable, Unknown])
export type PublishReason = typeof PublishReason.Type

/** Why a publish failed (P2). */
export class PublishError extends Schema.TaggedError<PublishError>()("PublishError", {
  event: Schema.String,
  /** The event's id: pass it as `id` to publish the same event again. */
  id: Schema.String,
  reason: PublishReason
}) {
  get isRetryable(): boolean {
    return this.reason.isRetryable
  }
  override get message(): string {
    return `publishing "${quoted(this.event)}" (${quoted(this.id)}) failed, ${this.reason._tag}: ${this.reason.message}`
  }
}

export const isPublishError = Schema.is(PublishError)

/** `publishAll` stopped: what came before `next` was sent, from `next` on nothing was. */
export class PublishAllError extends Schema.TaggedError<PublishAllError>()("PublishAllError", {
  confirmed: Schema.Int,
  /** Position of the first event that was not sent. */
  next: Schema.Int,
  failures: Schema.Array(Schema.Struct({ index: Schema.Int, error: PublishError }))
}) {
  override get message(): string {
    const first = this.failures[0]
    return `${this.confirmed} events were confirmed, ${this.failures.length} failed, nothing was sent from position ${this.next} on; first failure at ${first?.index}: ${first?.error.message}`
  }
}

// -- subscribe ----------------------------------------------------------------------------------

/** The options of a subscriber cannot work. */
export class SubscriberInvalid extends Schema.TaggedClass<SubscriberInvalid>()("Invalid", {
  option: Schema.String,
  problem: Schema.String,
  remedy: Schema.String
}) {
  readonly isRetryable = false
  get message(): string {
    return `\`${this.option}\`: ${this.problem}. ${this.remedy}`
  }
}

export class SubscribeError extends Schema.TaggedError<SubscribeError>()("SubscribeError", {
  subscriber: Schema.String,
  reason: Schema.Union([SubscriberInvalid, ...BrokerReason.members])
}) {
  get isRetryable(): boolean {
    return this.reason.isRetryable
  }
  override get message(): string {
    return `subscriber "${quoted(this.subscriber)}" cannot start: ${bounded(this.reason.message)}`
  }
  static fromBroker(subscriber: string, error: BrokerError): SubscribeError {
    return new SubscribeError({ subscriber, reason: error.reason })
  }
}

// -- what a handler may say -----------------------------------------------------------------------

/**
 * Fails a handler for good: the event is dead-lettered at once, whatever the retry policy. It is a decision and
 * no accident: a dead letter tells its reason, and the stack of its `cause`.
 */
export class Reject extends Schema.TaggedError<Reject>()("Reject", {
  reason: Schema.String,
  cause: Schema.optionalKey(Schema.Defect())
}) {
  override get message(): string {
    return this.reason
  }
}

/** Puts an event off without counting an attempt: not now, but not wrong either. */
export class Later extends Schema.TaggedError<Later>()("Later", {
  in: Schema.Duration,
  reason: Schema.optionalKey(Schema.String)
}) {
  static in(delay: Duration.Input, reason?: string): Later {
    return new Later({ in: Duration.fromInputUnsafe(delay), ...(reason !== undefined && { reason }) })
  }
  override get message(): string {
    return `put off by ${Duration.format(this.in)}`
  }
}

// -- what happens to a handler --------------------------------------------------------------------

/** The handler did not end within its deadline; a failed attempt. */
export class HandlerTimeout extends Schema.TaggedError<HandlerTimeout>()("HandlerTimeout", {
  deadline: Schema.Duration
}) {
  override get message(): string {
    return `the handler did not end within ${Duration.format(this.deadline)}: make it faster, or raise the subscriber's \`deadline\``
  }
}

/** The handler died of a defect, or interrupted itself; a failed attempt. */
export class HandlerDefect extends Schema.TaggedError<HandlerDefect>()("HandlerDefect", { cause: Schema.Defect() }) {
  override get message(): string {
    return this.cause instanceof Error ? this.cause.message : "the handler died of something that is not an Error"
  }
}

/** What a retry policy sees besides the handler's own errors. */
export type AttemptFailure = HandlerTimeout | HandlerDefect

// -- dead letters ---------------------------------------------------------------------------------

export class DeadLettersError extends Schema.TaggedError<DeadLettersError>()("DeadLettersError", {
  source: Schema.String,
  reason: BrokerReason
}) {
  get isRetryable(): boolean {
    return this.reason.isRetryable
  }
  override get message(): string {
    return `dead letters of "${quoted(this.source)}": ${bounded(this.reason.message)}`
  }
}

/** A replay stopped: what was replayed is handled again, everything else is where it was. */
export class ReplayError extends Schema.TaggedError<ReplayError>()("ReplayError", {
  source: Schema.String,
  replayed: Schema.Int,
  remaining: Schema.Int,
  reason: Schema.Union([...BrokerReason.members, ...PublishReason.members])
}) {
  get isRetryable(): boolean {
    return this.reason.isRetryable
  }
  override get message(): string {
    return `replaying "${this.source}" stopped after ${this.replayed}, ${this.remaining} dead letters are left: ${this.reason.message}`
  }
}
