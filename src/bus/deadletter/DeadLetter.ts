/**
 * One dead letter: why it was given up, and what it was.
 */
import * as Result from "effect/Result"
import { bytesOf } from "../../event/Body.ts"
import { headerText } from "../../event/FieldValue.ts"
import * as WireFormat from "../../event/WireFormat.ts"
import * as Limits from "../../event/Limits.ts"
import type { DeadLetterSource, Delivery } from "../port/Broker.ts"
import * as BrokerDeath from "../send/BrokerDeath.ts"
import * as Diagnosis from "../send/Diagnosis.ts"

/** One failed attempt of an event. */
export interface PastFailure {
  readonly at: Date
  readonly attempt: number
  /** Tag of its error. */
  readonly tag: string
  readonly message: string
}

/** One change of the data of an event by an operator. */
export interface PastEdit {
  readonly at: Date
  /** The fields that changed, without their values. */
  readonly paths: ReadonlyArray<string>
}

/** One dead letter: why it was given up, and what it was. */
export interface DeadLetter extends Omit<Diagnosis.Diagnosis, "edits" | "failures" | "firstFailure" | "lastFailure"> {
  readonly firstFailure: Date | undefined
  readonly lastFailure: Date | undefined
  /** The last failures, oldest first. */
  readonly failures: ReadonlyArray<PastFailure>
  /** The last changes of its data by an operator (`eventbus dead-letters edit`), oldest first. */
  readonly edits: ReadonlyArray<PastEdit>
  /** The original bytes. */
  readonly body: Buffer
  /** As they were received, without the broker's own counts, which change each time that it is looked at. */
  readonly headers: Readonly<Record<string, unknown>>
  /** The `subject` of the event, if its body can be read: its key, unless another program wrote it. */
  readonly key: string | undefined
  /** When it was published, by the clock of its publisher. */
  readonly publishedAt: Date | undefined
  /**
   * Whether the runtime wrote it, and believed its event; undefined where no signature is required. What is not signed
   * may say anything.
   */
  readonly signed: boolean | undefined
  /** W3C trace of the event. */
  readonly traceparent: string | undefined
}

/** A dead letter as it is listed. */
export interface ListedLetter extends DeadLetter {
  /**
   * Its place in its queue, for `after`: how many letters of the same event id stand before it, and that id. The id alone is
   * not enough, because several letters may have it.
   */
  readonly cursor: string
}

/** A subscriber's name, or the place of delayed events to which no subscriber was bound when they were due. */
export type Source = string | typeof undeliverable
export const undeliverable: unique symbol = Symbol.for("@eduflow/events/undeliverable")

export const sourceOf = (source: Source): DeadLetterSource =>
  source === undeliverable ? { _tag: "Undeliverable" } : { _tag: "Subscriber", name: source }

export const nameOf = (source: Source): string => (source === undeliverable ? "undeliverable" : source)

/** `withKey` says whether to read the body for the key. It is read anyway when the headers do not name the event. */
export const read = (delivery: Delivery, source: Source, withKey = true): DeadLetter => {
  // What the ladder could not deliver has died there by design, and its headers are those of the runtime.
  const death = source === undeliverable ? undefined : BrokerDeath.of(delivery.headers)
  const diagnosis = Diagnosis.read(delivery, nameOf(source), death)
  const isUnnamed = diagnosis.eventId === "" || diagnosis.eventType === ""
  const event = withKey || isUnnamed ? parse(delivery) : undefined
  return {
    ...diagnosis,
    // A broker-made letter has what its publisher wrote beside the body, which may be nothing.
    eventId: diagnosis.eventId === "" ? (event?.id ?? "") : diagnosis.eventId,
    eventType: diagnosis.eventType === "" ? (event?.type ?? "") : diagnosis.eventType,
    reason: source === undeliverable && diagnosis.reason === "Foreign" ? "Undeliverable" : diagnosis.reason,
    firstFailure: optionalDate(diagnosis.firstFailure),
    lastFailure: optionalDate(diagnosis.lastFailure),
    failures: diagnosis.failures.map((failure) => ({ ...failure, at: dateOf(failure.at) })),
    edits: (diagnosis.edits ?? []).map((edit) => ({ ...edit, at: dateOf(edit.at) })),
    body: bytesOf(delivery.body),
    headers: lasting(delivery.headers),
    key: event?.key,
    publishedAt: optionalDate(delivery.properties.timestamp),
    signed: delivery.signed === undefined ? undefined : delivery.signed && diagnosis.reason !== "Unsigned",
    traceparent: headerText(delivery.headers["traceparent"])
  }
}

/** RabbitMQ counts in them how often a message was taken and came back; which one depends on its version. */
const counts: ReadonlySet<string> = new Set(["x-delivery-count", "x-acquired-count"])

const lasting = (headers: Delivery["headers"]): Readonly<Record<string, unknown>> => {
  const kept: Record<string, unknown> = Object.create(null)
  for (const name of Object.keys(headers)) if (!counts.has(name)) kept[name] = headers[name]
  return kept
}

/** The largest time that a Date can hold; headers of other programs may have any number. */
const maxTime = 8.64e15

const dateOf = (millis: number): Date => new Date(Math.min(millis, maxTime))
const optionalDate = (millis: number | undefined): Date | undefined =>
  millis === undefined ? undefined : dateOf(millis)

const parse = ({ body, headers, properties }: Delivery) =>
  Result.getOrUndefined(WireFormat.parse(body, Limits.defaults, properties, headers))
