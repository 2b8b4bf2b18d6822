/**
 * Why an event is in a dead-letter queue (P8), as headers on the dead letter: written by the
 * subscriber that gave it up, read by whoever lists or replays it. Bounded to 16 KiB in all.
 */
import { hostname } from "node:os"
import type { Delivery, Headers } from "./Broker.ts"
import * as RuntimeHeaders from "./RuntimeHeaders.ts"

export type DeadLetterReason =
  /** The retry Schedule ended. */
  | "Exhausted"
  /** The handler said `Reject`. */
  | "Rejected"
  /** Bytes or data that no attempt can make right. */
  | "Invalid"
  /** A type that was not asked for, where the subscriber is strict. */
  | "UnknownEvent"
  /** A newer version than the contract, for an hour. */
  | "UnknownVersion"
  | "LaneFull"
  | "LaneTooSlow"
  | "PostponedTooOften"
  /** It was on its way whenever a process died. */
  | "CrashLoop"
  /** A delayed event that nobody was bound to when it was due. */
  | "Undeliverable"
  /** Put here by something else than this library. */
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
  /** How often it has been replayed before. */
  readonly replays: number
  /** The replay that sent it last. */
  readonly replayId?: string | undefined
  /** The span of its first attempt, as a W3C traceparent. */
  readonly firstSpan?: string | undefined
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
    firstSpan: diagnosis.firstSpan
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

/** Reads the diagnosis of a dead letter; what the broker dead-lettered itself is told as far as it tells. */
export const read = (delivery: Delivery, subscriber: string): Diagnosis => {
  // What the broker dead-lettered still has its publisher's headers, which prove nothing (P15).
  const crashed = brokerReason(delivery.headers) === "delivery_limit"
  const headers: Readonly<Record<string, unknown>> = crashed ? {} : delivery.headers
  const progress = RuntimeHeaders.parse(headers)
  const reason = text(headers[names.reason])
  return {
    subscriber: text(headers[names.subscriber]) ?? subscriber,
    reason: reason !== undefined ? toReason(reason) : crashed ? "CrashLoop" : "Foreign",
    error: {
      tag: text(headers[names.tag]) ?? (crashed ? "DeliveryLimit" : "Unknown"),
      message:
        text(headers[names.message]) ??
        (crashed
          ? "it came back unsettled more often than the queue's delivery limit allows: processes died or stopped while they held it"
          : "no diagnosis was written: something else than this library put it here"),
      stack: text(headers[names.stack])
    },
    attempts: whole(headers[names.attempts]) ?? 0,
    firstFailure: progress.firstFailure,
    lastFailure: whole(headers[names.lastFailure]) ?? (crashed ? deathTime(delivery.headers) : undefined),
    failures: progress.failures,
    eventId: text(headers[names.eventId]) ?? delivery.properties.messageId ?? "",
    eventType: text(headers[names.eventType]) ?? delivery.properties.type ?? "",
    host: text(headers[names.host]) ?? "",
    library: text(headers[names.library]) ?? "",
    replays: progress.replays,
    replayId: progress.replayId,
    firstSpan: progress.firstSpan
  }
}

/**
 * What can be said of a failure of any kind: an error of the user's own making, a defect, a string. All but the
 * stack, which V8 makes into a text when it is read.
 */
export const describe = (error: unknown): Failure => looked(() => lookAt(error), unseen)

/** The stack of what is an Error. */
export const stackOf = (error: unknown): string | undefined =>
  looked(() => (error instanceof Error ? field(error, "stack") : undefined), undefined)

const unseen: Failure = { tag: "Object", message: "an error that throws when it is looked at" }

/** Errors are foreign objects: a getter or a proxy's trap may throw when one looks. */
export const looked = <A>(look: () => A, otherwise: A): A => {
  try {
    return look()
  } catch {
    return otherwise
  }
}

const lookAt = (error: unknown): Failure => {
  if (typeof error === "object" && error !== null) {
    const named = error instanceof Error ? field(error, "name") : undefined
    return {
      tag: field(error, "_tag") ?? named ?? "Object",
      message: field(error, "message") ?? "an object that is not an Error"
    }
  }
  return { tag: typeof error, message: typeof error === "string" ? error : String(error) }
}

/** A text of a foreign object, whose getters may throw and whose fields may be anything. */
const field = (error: object, name: string): string | undefined =>
  looked(() => text(Reflect.get(error, name)), undefined)

const reasons: ReadonlySet<string> = new Set<DeadLetterReason>([
  "Exhausted",
  "Rejected",
  "Invalid",
  "UnknownEvent",
  "UnknownVersion",
  "LaneFull",
  "LaneTooSlow",
  "PostponedTooOften",
  "CrashLoop",
  "Undeliverable"
])
const isReason = (value: string): value is DeadLetterReason => reasons.has(value)
const toReason = (value: string): DeadLetterReason => (isReason(value) ? value : "Foreign")

const brokerReason = (headers: Readonly<Record<string, unknown>>): string | undefined => {
  const last = text(headers["x-last-death-reason"]) ?? text(headers["x-first-death-reason"])
  if (last !== undefined) return last
  return text(fieldOf(lastDeath(headers), "reason"))
}

/** When the broker dead-lettered it: AMQP tells whole seconds, and amqplib wraps them. */
const deathTime = (headers: Readonly<Record<string, unknown>>): number | undefined => {
  const seconds = whole(fieldOf(fieldOf(lastDeath(headers), "time"), "value"))
  return seconds === undefined ? undefined : whole(seconds * 1000)
}

/** The broker puts the latest first. */
const lastDeath = (headers: Readonly<Record<string, unknown>>): unknown => {
  const deaths = headers["x-death"]
  return Array.isArray(deaths) ? deaths[0] : undefined
}

const fieldOf = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null && Object.hasOwn(value, name) ? Reflect.get(value, name) : undefined

const text = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined)
const whole = (value: unknown): number | undefined =>
  typeof value === "number" && Number.isSafeInteger(value) ? value : undefined

export const crashLoop = (returns: number): Failure => ({
  tag: "CrashLoop",
  message: `it came back unsettled ${returns} times: processes died or stopped while they held it`
})
