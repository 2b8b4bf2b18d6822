/** The error of a publish. */
import * as Predicate from "effect/Predicate"
import { TaggedError } from "../../event/Tagged.ts"
import { bounded, type Fault, quoted } from "../../event/EventError.ts"
import { shown } from "../../event/options/OptionNames.ts"
import * as PublishReason from "./PublishReason.ts"

/** Each publish has one outcome; this is the one that is not a confirm. */
export class PublishError extends TaggedError<PublishError>()("PublishError", (Schema) => ({
  event: Schema.String,
  /** The event's id: pass it as `id` to publish the same event again. */
  id: Schema.String,
  reason: Schema.Union(PublishReason.members)
})) {
  get isRetryable(): boolean {
    return this.reason.isRetryable
  }
  /** Of a call whose contract or options are wrong. Callers without types may pass anything; `newId` is for those without an id. */
  static refused(contract: unknown, options: unknown, newId: () => string, fault: Fault): PublishError {
    const given = Predicate.hasProperty(options, "id") ? options.id : undefined
    return new PublishError({
      event: Predicate.hasProperty(contract, "name") && Predicate.isString(contract.name) ? contract.name : "?",
      id: given === undefined ? newId() : textOfId(given),
      reason: new PublishReason.Invalid({ faults: [fault] })
    })
  }
  override get message(): string {
    const id = this.id === "" ? "" : ` (${quoted(this.id)})`
    return `publishing "${quoted(this.event)}"${id} failed, ${this.reason._tag}: ${this.reason.message}`
  }
}

/** An id comes from outside of TypeScript too. */
export const textOfId = (id: unknown): string => (Predicate.isString(id) ? id : shown(id))

export const isPublishError = (value: unknown): value is PublishError => value instanceof PublishError

/** What a source failed with comes from outside, so reading it may throw. */
const textOf = (cause: unknown): string => {
  try {
    if (cause instanceof Error) return cause.message === "" ? cause.name : cause.message
    return Predicate.hasProperty(cause, "_tag") ? String(cause._tag) : String(cause)
  } catch {
    return "an error that cannot be read"
  }
}

/**
 * `publishAll` stopped: the events before `next` were sent, from `next` on nothing was. Either events failed, or the
 * source that they come from did: `cause` is its failure.
 */
export class PublishAllError extends TaggedError<PublishAllError>()("PublishAllError", (Schema) => ({
  /** How many events the broker holds safely. */
  confirmed: Schema.Int,
  /** Position of the first event that was not sent. */
  next: Schema.Int,
  failures: Schema.Array(Schema.Struct({ index: Schema.Int, error: PublishError })),
  /** What the iterable threw, or the Stream failed with. */
  cause: Schema.optionalKey(Schema.Defect())
})) {
  /** The whole call was refused. */
  static refused(error: PublishError): PublishAllError {
    return new PublishAllError({ confirmed: 0, next: 0, failures: [{ index: 0, error }] })
  }
  override get message(): string {
    const { cause, confirmed, failures, next } = this
    const [first] = failures
    const failed =
      first === undefined
        ? ""
        : `; ${failures.length} failed, the first at position ${first.index}: ${first.error.message}`
    const broken =
      cause === undefined
        ? ""
        : `; the source of the events failed: ${bounded(textOf(cause))}: publish the rest from that position on`
    return `${confirmed} ${confirmed === 1 ? "event was" : "events were"} confirmed, nothing was sent from position ${next} on${failed}${broken}`
  }
}
