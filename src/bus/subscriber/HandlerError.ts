/**
 * The errors by which a handler decides about its event, and the errors that the runtime reports for a handler that
 * dies or takes too long.
 */
import * as Duration from "effect/Duration"
import * as OptionInvalid from "../../event/options/OptionInvalid.ts"
import * as Kinds from "../../event/options/OptionKinds.ts"
import { millisOf } from "../../event/options/OptionNames.ts"
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

const finiteTime: Kinds.Kind = {
  expected: 'a finite length of time from 0 up, such as "30 seconds"',
  holds: (value) => Kinds.duration.holds(value) && Number.isFinite(millisOf(value))
}
/** Postpones an event without counting an attempt: it is right, but cannot be handled now. */
export class Later extends TaggedError<Later>()("Later", (Schema) => ({
  in: Schema.Duration,
  reason: Schema.optionalKey(Schema.String)
})) {
  /** Throws `OptionInvalid` for what is no finite length of time from 0 up: the event would run at once, or never. */
  static in(delay: Duration.Input, reason?: string): Later {
    OptionInvalid.check("Later.in", { delay }, { delay: Kinds.required(finiteTime) })
    return new Later({ in: Duration.fromInputUnsafe(delay), ...(reason !== undefined && { reason }) })
  }
  override get message(): string {
    return `postponed by ${Duration.format(this.in)}`
  }
}

/** What is wrong with the time of a `Later` that was made without `Later.in`; undefined when nothing is. */
export const laterFault = (later: Later): OptionInvalid.OptionInvalid | undefined =>
  finiteTime.holds(later.in)
    ? undefined
    : OptionInvalid.of("Later", { in: later.in }, { in: Kinds.required(finiteTime) })

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

/** A hook around handling failed, and not the handler: see `Around`. This is a failed attempt, whose tag is that of its cause. */
export class AroundFailure extends TaggedError<AroundFailure>()("AroundFailure", (Schema) => ({
  /** The name of the hook. */
  hook: Schema.String,
  /** What it failed with. `Around.errorOf` gives it its type. */
  cause: Schema.Defect()
})) {
  override get message(): string {
    return `the hook "${this.hook}" around the handler failed: ${this.cause instanceof Error ? this.cause.message : String(this.cause)}`
  }
}

/** The errors that a retry policy gets besides the handler's own. */
export type AttemptFailure = HandlerTimeout | HandlerDefect | AroundFailure
