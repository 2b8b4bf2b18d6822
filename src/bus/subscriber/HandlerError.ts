/**
 * The errors by which a handler decides about its event, and the errors that the runtime reports for a handler that
 * dies or takes too long.
 */
import * as Duration from "effect/Duration"
import { TaggedError } from "../../event/Tagged.ts"

/**
 * Dead-letters the event at once, whatever the retry policy. It is a decision, not an accident: the dead letter has
 * its reason and the stack of its `cause`.
 */
export class Reject extends TaggedError<Reject>()("Reject", (Schema) => ({
  reason: Schema.String,
  cause: Schema.optionalKey(Schema.Defect())
})) {
  override get message(): string {
    return this.reason
  }
}

/** Postpones an event without counting an attempt: it is right, but cannot be handled now. */
export class Later extends TaggedError<Later>()("Later", (Schema) => ({
  in: Schema.Duration,
  reason: Schema.optionalKey(Schema.String)
})) {
  static in(delay: Duration.Input, reason?: string): Later {
    return new Later({ in: Duration.fromInputUnsafe(delay), ...(reason !== undefined && { reason }) })
  }
  override get message(): string {
    return `postponed by ${Duration.format(this.in)}`
  }
}

/** The handler did not end within its deadline. This is a failed attempt. */
export class HandlerTimeout extends TaggedError<HandlerTimeout>()("HandlerTimeout", (Schema) => ({
  deadline: Schema.Duration
})) {
  override get message(): string {
    return `the handler did not end within ${Duration.format(this.deadline)}: make it faster, or raise the subscriber's \`deadline\``
  }
}

/** The handler died of a defect or interrupted itself. This is a failed attempt. */
export class HandlerDefect extends TaggedError<HandlerDefect>()("HandlerDefect", (Schema) => ({
  cause: Schema.Defect()
})) {
  override get message(): string {
    return this.cause instanceof Error ? this.cause.message : "the handler died of a value that is not an Error"
  }
}

/** The errors that a retry policy gets besides the handler's own. */
export type AttemptFailure = HandlerTimeout | HandlerDefect
