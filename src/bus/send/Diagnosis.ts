/**
 * Why an event is in a dead-letter queue, as headers of the dead letter: written by the subscriber that gave it up,
 * read when it is listed or replayed, so that a dead letter is complete. At most 16 KiB in all.
 */
import * as Predicate from "effect/Predicate"
import { integer, text } from "../../event/FieldValue.ts"
import { hostname } from "node:os"
import type { Delivery, Headers } from "../port/Broker.ts"
import * as RuntimeHeaders from "./RuntimeHeaders.ts"

export type DeadLetterReason =
  /** The retry Schedule ended. */
  | "Exhausted"
  /** The handler failed with `Reject`. */
  | "Rejected"
  /** Bytes or data that no attempt can handle. */
  | "Invalid"
  /** A type that no process of the subscriber asked for in time. */
  | "UnknownType"
  /** A version that no process of the subscriber knew in time. */
  | "UnknownVersion"
  | "LaneFull"
  | "LaneTooSlow"
  | "PostponedTooOften"
  /** It came as a copy of the runtime, without the signature that is required. */
  | "Unsigned"
  /** It was in flight each time that a process died. */
  | "CrashLoop"
  /** An idempotent subscriber handled another event with its source, type and id, and with other data. */
  | "IdReused"
  /** Its `expiryTime` came before its handler began, or its time to live on the broker ended before it was taken. */
  | "Expired"
  /** The broker dropped it: its queue had a length limit and was full. */
  | "QueueFull"
  /** The broker dead-lettered the event itself, since it takes no letter with a diagnosis. */
  | "LetterRefused"
  /** A delayed event without a bound subscriber when it was due. */
  | "Undeliverable"
  /** Put here by something other than this library. */
  | "Foreign"

export interface Failure {
  readonly tag: string
  readonly message: string
  readonly stack?: string | undefined
}

export interface Diagnosis {
  readonly subscriber: string
  readonly reason: DeadLetterReason
  readonly error: Failure
  readonly attempts: number
  /** Milliseconds since the epoch. */
  readonly firstFailure: number | undefined
  readonly lastFailure: number | undefined
  /** The last failures, oldest first. */
  readonly failures: ReadonlyArray<RuntimeHeaders.PastFailure>
  readonly eventId: string
  readonly eventType: string
  readonly host: string
  readonly library: string
  /** How often it was replayed before. */
  readonly replays: number
  /** The last replay that sent it. */
  readonly replayId?: string | undefined
  /** The span of its first attempt, as a W3C traceparent. */
  readonly firstSpan?: string | undefined
  /** The last changes of its data by an operator, oldest first. */
  readonly edits?: ReadonlyArray<RuntimeHeaders.PastEdit> | undefined
}

/** Why the broker itself dead-lettered an event, and when. */
export interface Death {
  readonly reason: DeadLetterReason
  readonly error: Failure
  /** Milliseconds since the epoch. */
  readonly at: number | undefined
  /** The event name that it was published by, whatever it says of itself. */
  readonly route: string | undefined
}

export const library = "@eduflow/events 0.1.0"
export const host = `${hostname()}:${process.pid}`

const names = {
  subscriber: "bus-subscriber",
  reason: "bus-reason",
  tag: "bus-error-tag",
  message: "bus-error-message",
  stack: "bus-error-stack",
  attempts: "bus-attempts",
  lastFailure: "bus-last-failure",
  eventId: "bus-event-id",
  eventType: "bus-event-type",
  host: "bus-host",
  library: "bus-library"
} as const

const bounded = (text: string, bytes: number): string => {
  if (text.length * 3 <= bytes) return text
  const raw = Buffer.from(text)
  if (raw.length <= bytes) return text
  // Cut between two characters: a continuation byte of UTF-8 begins with 10.
  let end = bytes - 3
  while (end > 0 && ((raw[end] ?? 0) & 0xc0) === 0x80) end--
  return `${raw.toString("utf8", 0, end)}…`
}

export const write = (diagnosis: Diagnosis): Headers => ({
  ...RuntimeHeaders.write({
    ...RuntimeHeaders.fresh,
    firstFailure: diagnosis.firstFailure,
    failures: diagnosis.failures,
    replays: diagnosis.replays,
    replayId: diagnosis.replayId,
    firstSpan: diagnosis.firstSpan,
    edits: diagnosis.edits ?? []
  }),
  [names.subscriber]: diagnosis.subscriber,
  [names.reason]: diagnosis.reason,
  [names.tag]: bounded(diagnosis.error.tag, 128),
  [names.message]: bounded(diagnosis.error.message, 1024),
  ...(diagnosis.error.stack !== undefined && { [names.stack]: bounded(diagnosis.error.stack, 4096) }),
  [names.attempts]: diagnosis.attempts,
  ...(diagnosis.lastFailure !== undefined && { [names.lastFailure]: diagnosis.lastFailure }),
  [names.eventId]: bounded(diagnosis.eventId, 255),
  [names.eventType]: bounded(diagnosis.eventType, 255),
  [names.host]: bounded(diagnosis.host, 255),
  [names.library]: diagnosis.library
})

/**
 * Reads the diagnosis of a dead letter. Of one that the broker dead-lettered itself, `death` says why; its other headers
 * are those of its publisher, which could be forged.
 */
export const read = (
  { headers: received, properties }: Delivery,
  subscriber: string,
  death: Death | undefined
): Diagnosis => {
  const headers: Readonly<Record<string, unknown>> = death === undefined ? received : {}
  const progress = RuntimeHeaders.parse(headers)
  const reason = text(headers[names.reason])
  const { at, error, reason: unwritten, route } = death ?? foreign
  return {
    subscriber: text(headers[names.subscriber]) ?? subscriber,
    reason: reason === undefined ? unwritten : reasonOf(reason),
    error: {
      tag: text(headers[names.tag]) ?? error.tag,
      message: text(headers[names.message]) ?? error.message,
      stack: text(headers[names.stack])
    },
    attempts: integer(headers[names.attempts]) ?? 0,
    firstFailure: progress.firstFailure,
    lastFailure: integer(headers[names.lastFailure]) ?? at,
    failures: progress.failures,
    eventId: text(headers[names.eventId]) ?? properties.messageId ?? "",
    eventType: text(headers[names.eventType]) ?? route ?? properties.type ?? "",
    host: text(headers[names.host]) ?? "",
    library: text(headers[names.library]) ?? "",
    replays: progress.replays,
    replayId: progress.replayId,
    firstSpan: progress.firstSpan,
    edits: progress.edits
  }
}

/** For a letter that neither the runtime nor the broker wrote. */
const foreign: Death = {
  reason: "Foreign",
  error: {
    tag: "Unknown",
    message: "no diagnosis was written: something other than this library put it here"
  },
  at: undefined,
  route: undefined
}

/**
 * Describes a failure of any kind: a user's own error, a defect, a string. The stack is left out, because V8 formats
 * it when it is read.
 */
export const describe = (error: unknown): Failure => tryRead(() => describeUnsafe(error), unreadable)

/** The stack of an Error. */
export const stackOf = (error: unknown): string | undefined =>
  tryRead(() => (error instanceof Error ? field(error, "stack") : undefined), undefined)

const unreadable: Failure = { tag: "Object", message: "an error that throws when it is read" }

/** Errors are foreign objects: a getter or the trap of a proxy may throw when it is read. */
export const tryRead = <A>(read: () => A, otherwise: A): A => {
  try {
    return read()
  } catch {
    return otherwise
  }
}

const describeUnsafe = (error: unknown): Failure => {
  if (Predicate.isObjectOrArray(error)) {
    const named = error instanceof Error ? field(error, "name") : undefined
    return {
      tag: field(error, "_tag") ?? named ?? "Object",
      message: field(error, "message") ?? "an object that is not an Error"
    }
  }
  return { tag: typeof error, message: String(error) }
}

/** A text field of a foreign object, whose getters may throw and whose fields may hold anything. */
const field = (error: object, name: string): string | undefined =>
  tryRead(() => text(Reflect.get(error, name)), undefined)

const reasons: ReadonlySet<string> = new Set<DeadLetterReason>([
  "Exhausted",
  "Rejected",
  "Invalid",
  "UnknownType",
  "UnknownVersion",
  "LaneFull",
  "LaneTooSlow",
  "PostponedTooOften",
  "Unsigned",
  "CrashLoop",
  "IdReused",
  "Expired",
  "QueueFull",
  "LetterRefused",
  "Undeliverable"
])
/** All of them. */
export const deadLetterReasons: ReadonlyArray<string> = [...reasons, "Foreign" satisfies DeadLetterReason]
const isReason = (value: string): value is DeadLetterReason => reasons.has(value)
/** `Foreign` for what is none. */
export const reasonOf = (value: string): DeadLetterReason => (isReason(value) ? value : "Foreign")

/** `starts` is how many of its starts were written down and did not end. */
export const crashLoop = (returns: number, starts: number): Failure => ({
  tag: "CrashLoop",
  message:
    starts > 0
      ? `its handler was started ${starts} times and never ended: processes died while it ran`
      : `it came back unsettled ${returns} times: processes died or stopped while they held it`
})
