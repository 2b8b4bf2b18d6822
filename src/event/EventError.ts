/**
 * Errors about an event: an invalid definition (a programmer's mistake, thrown where the event is defined), invalid
 * data in a publish, or invalid bytes in a delivery.
 *
 * Messages name the place and the remedy. They contain a value of the payload only if the caller who wrote the value
 * reads the message, and never the value of a sensitive field.
 */
import type * as Schema from "effect/Schema"
import { printable } from "./FieldValue.ts"
import { TaggedError } from "./Tagged.ts"

/** A text from outside, shortened and on one line for a message. The fields of the error hold the whole text. */
export const quoted = (text: string): string => printable(text.length <= 200 ? text : `${text.slice(0, 199)}…`)
/** A text of at most `maxLength` characters. */
export const bounded = (text: string, maxLength = 800): string =>
  text.length <= maxLength ? text : `${text.slice(0, maxLength - 1)}…`

/** The definition itself is wrong. Thrown by `Event.make`, `EventGroup.make` and by invalid patterns. */
export class EventDefinitionError extends TaggedError<EventDefinitionError>()("EventDefinitionError", (Schema) => ({
  event: Schema.String,
  problem: Schema.String,
  remedy: Schema.String
})) {
  override get message(): string {
    return `event "${this.event}": ${this.problem}. ${this.remedy}`
  }
}

/** One fault in the data of an event: where it is, and what was expected there. */
export interface Fault {
  /** Path within the event, for example `data.grade`; empty if the body as a whole is at fault. */
  readonly path: string
  readonly expected: string
}
export const faultSchema = ({ String, Struct }: typeof Schema) => Struct({ path: String, expected: String })

/** The data of an event does not match its contract, or exceeds a limit. */
export class InvalidEvent extends TaggedError<InvalidEvent>()("InvalidEvent", (Schema) => ({
  /** The event name, or `"?"` if the body does not say. */
  event: Schema.String,
  faults: Schema.Array(faultSchema(Schema))
})) {
  override get message(): string {
    return `event "${quoted(this.event)}" is invalid: ${bounded(this.faults.map(faultText).join("; "))}`
  }

  static of(event: string, path: string, expected: string): InvalidEvent {
    return new InvalidEvent({ event, faults: [{ path, expected }] })
  }
}

/** The name of the event is known, but its version is newer than the contract here. */
export class UnknownVersion extends TaggedError<UnknownVersion>()("UnknownVersion", (Schema) => ({
  event: Schema.String,
  version: Schema.Int,
  known: Schema.Int
})) {
  override get message(): string {
    return `event "${this.event}" has version ${this.version}, but this service knows versions up to ${this.known}: deploy the newer contract, then replay`
  }
}

/** No contract that the event was decoded with has its name. */
export class UnknownEvent extends TaggedError<UnknownEvent>()("UnknownEvent", (Schema) => ({
  event: Schema.String
})) {
  override get message(): string {
    return `event "${quoted(this.event)}" has no contract here: add its contract to the group or fix the name`
  }
}

const faultText = (fault: Fault): string =>
  fault.path === "" ? fault.expected : `${quoted(fault.path)}: ${fault.expected}`
