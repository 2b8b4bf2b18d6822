/**
 * What can be wrong with an event: its definition (thrown where it is defined, a programmer's
 * mistake), its data when it is published, or the bytes that arrive for it.
 *
 * Messages name the place and the remedy. They never hold a value of the payload unless the caller
 * who wrote the value is the one who reads the message, and never one of a sensitive field (P14).
 */
import { Schema } from "effect"

/** A text from outside as a message may quote it; the fields hold it whole. */
export const quoted = (text: string): string => (text.length <= 200 ? text : `${text.slice(0, 199)}…`)
/** A text of bounded length. */
export const bounded = (text: string, most = 800): string =>
  text.length <= most ? text : `${text.slice(0, most - 1)}…`

/** Thrown by `Event.make`, `EventGroup.make` and patterns: the definition itself is wrong. */
export class EventDefinitionError extends Schema.TaggedError<EventDefinitionError>()("EventDefinitionError", {
  event: Schema.String,
  problem: Schema.String,
  remedy: Schema.String
}) {
  override get message(): string {
    return `event "${this.event}": ${this.problem}. ${this.remedy}`
  }
}

/** One fault in an event's data: where it is and what was expected there. */
export const Fault = Schema.Struct({
  /** Path inside of the event, `data.grade` for example; empty when the fault is in the bytes as a whole. */
  path: Schema.String,
  expected: Schema.String
})
export type Fault = typeof Fault.Type

/** The data of an event does not fit its contract or exceeds a limit. */
export class InvalidEvent extends Schema.TaggedError<InvalidEvent>()("InvalidEvent", {
  /** Event name, or `"?"` when the bytes did not tell. */
  event: Schema.String,
  faults: Schema.Array(Fault)
}) {
  override get message(): string {
    return `event "${quoted(this.event)}" is invalid: ${bounded(this.faults.map(faultText).join("; "))}`
  }

  static of(event: string, path: string, expected: string): InvalidEvent {
    return new InvalidEvent({ event, faults: [{ path, expected }] })
  }
}

/** The event is of a known name, in a version that is newer than the contract here. */
export class UnknownVersion extends Schema.TaggedError<UnknownVersion>()("UnknownVersion", {
  event: Schema.String,
  version: Schema.Int,
  known: Schema.Int
}) {
  override get message(): string {
    return `event "${this.event}" came in version ${this.version}, this service knows up to ${this.known}: deploy the newer contract, then replay`
  }
}

/** The name of the event is not among the contracts it was decoded with. */
export class UnknownEvent extends Schema.TaggedError<UnknownEvent>()("UnknownEvent", {
  event: Schema.String
}) {
  override get message(): string {
    return `event "${quoted(this.event)}" is none of the contracts known here: add its contract to the group or fix the name`
  }
}

const faultText = (fault: Fault): string =>
  fault.path === "" ? fault.expected : `${quoted(fault.path)}: ${fault.expected}`
