/**
 * Why a publish failed. Rejected and Unknown are outcomes that an adapter reports, so the port defines them.
 */
import * as Predicate from "effect/Predicate"
import { TaggedClass } from "../../event/Tagged.ts"
import { bounded, faultSchema, quoted } from "../../event/EventError.ts"
import * as BrokerReason from "../port/BrokerReason.ts"
import { Rejected, Unknown } from "../port/SendOutcome.ts"

export { Rejected, Unknown }

/** The data, an option or a limit is wrong; nothing was sent. */
export class Invalid extends TaggedClass<Invalid>()("Invalid", (Schema) => ({
  faults: Schema.Array(faultSchema(Schema))
})) {
  readonly isRetryable = false
  get message(): string {
    const faults = this.faults.map(({ expected, path }) => (path === "" ? expected : `${quoted(path)}: ${expected}`))
    return `${bounded(faults.join("; "))}; nothing was sent`
  }
}

/** The current actor, or the service's user on the broker, may not publish it; nothing was stored. */
export class Denied extends TaggedClass<Denied>()("Denied", (Schema) => ({
  by: Schema.Literals(["contract", "broker"]),
  /** Of the actor that the contract refused. */
  role: Schema.optionalKey(Schema.String),
  detail: Schema.String
})) {
  readonly isRetryable = false
  get message(): string {
    return this.by === "broker"
      ? `denied by the broker, nothing was stored: ${this.detail}`
      : `${this.detail}; nothing was sent: provide another CurrentActor (in the Promise API: the option \`actor\`), or change the event's \`publishers\``
  }
}

/** The broker was not reachable within the deadline; nothing was sent. */
export class Unavailable extends TaggedClass<Unavailable>()("Unavailable", (Schema) => ({
  cause: Schema.Union(BrokerReason.members)
})) {
  get isRetryable(): boolean {
    return this.cause._tag === "Connection"
  }
  get message(): string {
    return `${this.cause.message}; nothing was sent`
  }
}

/** Too much is in flight, or the broker blocks publishers; nothing was sent. */
export class Overloaded extends TaggedClass<Overloaded>()("Overloaded", (Schema) => ({ detail: Schema.String })) {
  readonly isRetryable = true
  get message(): string {
    return `${this.detail}; nothing was sent: publish more slowly, or raise the \`inFlight\` limit`
  }
}

/** No subscriber is bound to it, and `mandatory` was set. */
export class Unroutable extends TaggedClass<Unroutable>()("Unroutable", () => ({})) {
  readonly isRetryable = false
  get message(): string {
    return "no subscriber is bound to it and `mandatory` was set: register the subscriber before publishing"
  }
}

/** A hook around publishing failed, and not the publish: see `Around`. */
export class AroundFailed extends TaggedClass<AroundFailed>()("AroundFailed", (Schema) => ({
  /** The name of the hook. */
  hook: Schema.String,
  /** Whether the publish had begun, so that the event may be stored. */
  begun: Schema.Boolean,
  /** What the hook failed with. `Around.errorOf` gives it its type. */
  cause: Schema.Defect()
})) {
  readonly isRetryable = false
  get message(): string {
    const { cause } = this
    const detail = Predicate.hasProperty(cause, "message") ? String(cause.message) : String(cause)
    return `the hook "${this.hook}" around the publish failed: ${bounded(detail)}; ${this.begun ? "the event may be stored: publish it again with the same id" : "nothing was sent"}`
  }
}

/** The reasons as schemas. */
export const members = [Invalid, Denied, Unavailable, Overloaded, Rejected, Unroutable, Unknown, AroundFailed] as const
export type PublishReason = InstanceType<(typeof members)[number]>
