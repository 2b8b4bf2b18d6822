/**
 * The headers by which the runtime speaks to itself: what an event has been through. They are
 * believed only on a delivery that the runtime sent (P15), and written fresh on each copy: nothing of
 * a received header table is copied but what a user may set.
 */
import type { Delivery, Headers, HeaderValue } from "./Broker.ts"

export const names = {
  attempt: "bus-attempt",
  firstFailure: "bus-first-failure",
  postponed: "bus-postponed",
  postponedSince: "bus-postponed-since",
  due: "bus-due",
  failures: "bus-failures",
  returns: "bus-returns",
  replays: "bus-replays",
  replayId: "bus-replay-id",
  position: "bus-position",
  starts: "bus-starts",
  delayed: "bus-delayed",
  firstSpan: "bus-first-span"
} as const

/** One failed attempt, as the history of an event keeps it. */
export interface PastFailure {
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly attempt: number
  readonly tag: string
  readonly message: string
}

/** What an event has been through with one subscriber. */
export interface Progress {
  /** Which attempt the next one is; 1 for a fresh event. */
  readonly attempt: number
  readonly firstFailure: number | undefined
  /** The last failures, oldest first, at most `keptFailures`. */
  readonly failures: ReadonlyArray<PastFailure>
  readonly postponed: number
  readonly postponedSince: number | undefined
  /** How often it came back unsettled before this copy of it was made without an attempt. */
  readonly returns: number
  /** When it may run; only for delays longer than one pass through the broker. */
  readonly due: number | undefined
  readonly replays: number
  readonly replayId: string | undefined
  /** The span of the first attempt, as a W3C traceparent. */
  readonly firstSpan: string | undefined
}

export const keptFailures = 10
const failureMessageLength = 200
const failureTagLength = 64
const traceparentLength = 55
/** Of the 16 KiB that a diagnosis may have. */
const failureBytes = 6 * 1024
/** What there is of a failure besides its texts: names and numbers. */
const failureFixedBytes = 120

export const fresh: Progress = {
  attempt: 1,
  firstFailure: undefined,
  failures: [],
  postponed: 0,
  postponedSince: undefined,
  returns: 0,
  due: undefined,
  replays: 0,
  replayId: undefined,
  firstSpan: undefined
}

export const read = (delivery: Delivery): Progress => (delivery.trusted ? parse(delivery.headers) : fresh)

export const parse = (headers: Readonly<Record<string, unknown>>): Progress => ({
  attempt: Math.max(whole(headers[names.attempt]) ?? 1, 1),
  firstFailure: whole(headers[names.firstFailure]),
  failures: parseFailures(headers[names.failures]),
  postponed: whole(headers[names.postponed]) ?? 0,
  postponedSince: whole(headers[names.postponedSince]),
  returns: returnsIn(headers),
  due: whole(headers[names.due]),
  replays: whole(headers[names.replays]) ?? 0,
  replayId: text(headers[names.replayId]),
  firstSpan: text(headers[names.firstSpan])?.slice(0, traceparentLength)
})

export const write = (progress: Progress): Headers => {
  const headers: Record<string, HeaderValue> = {}
  const put = (name: string, value: HeaderValue | undefined): void => {
    if (value !== undefined) headers[name] = value
  }
  put(names.attempt, progress.attempt > 1 ? progress.attempt : undefined)
  put(names.firstFailure, progress.firstFailure)
  put(names.failures, progress.failures.length > 0 ? JSON.stringify(progress.failures) : undefined)
  put(names.postponed, progress.postponed > 0 ? progress.postponed : undefined)
  put(names.postponedSince, progress.postponedSince)
  put(names.returns, progress.returns > 0 ? progress.returns : undefined)
  put(names.due, progress.due)
  put(names.replays, progress.replays > 0 ? progress.replays : undefined)
  put(names.replayId, progress.replayId)
  put(names.firstSpan, progress.firstSpan)
  return headers
}

/** Where a parked event stands. */
export interface Place {
  /** Order among the events of its key: a copy of the head goes to the end of the queue and stays the head. */
  readonly position: number
  /** How often an attempt of it began and did not end: 0 but for one that may kill the process. */
  readonly starts: number
}

export const readPlace = (delivery: Delivery): Place => ({
  position: whole(delivery.headers[names.position]) ?? 0,
  starts: whole(delivery.headers[names.starts]) ?? 0
})

export const writePlace = ({ position, starts }: Place): Headers => ({
  [names.position]: position,
  ...(starts > 0 && { [names.starts]: starts })
})

export const addFailure = (progress: Progress, failure: PastFailure): ReadonlyArray<PastFailure> => {
  const kept = [
    ...progress.failures.slice(-(keptFailures - 1)),
    { ...failure, tag: plain(failure.tag, failureTagLength), message: plain(failure.message, failureMessageLength) }
  ]
  // Written only where it may be too much: without the characters that are replaced, JSON takes three bytes for one at most.
  const most = kept.reduce((sum, { message, tag }) => sum + 3 * (message.length + tag.length) + failureFixedBytes, 0)
  if (most > failureBytes) while (Buffer.byteLength(JSON.stringify(kept)) > failureBytes) kept.shift()
  return kept
}

/** Bounded, and without what JSON writes with six bytes for one. */
const plain = (text: string, length: number): string => {
  const short = text.length > length ? text.slice(0, length) : text
  return isAscii(short) ? short : short.replace(/[\p{Cc}\p{Cs}]/gu, " ")
}

/** Whether there is nothing but letters, digits and the like of ASCII. */
const isAscii = (text: string): boolean => {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code < 0x20 || code > 0x7e) return false
  }
  return true
}

/** Why a user may not set this header, or undefined. */
export const userHeaderFault = (name: string): string | undefined =>
  /^(?:bus-|x-)/i.test(name) || name === "traceparent" || name === "tracestate"
    ? "belongs to the runtime or the broker"
    : name === "CC" || name === "BCC" || name === "__proto__" || name.length === 0
      ? "would be acted upon by the broker or the client"
      : undefined

const noHeaders: Headers = Object.freeze({})

/** The headers of a delivery that a user set: what a copy keeps besides the runtime's own. */
export const userHeaders = (delivery: Delivery): Headers => {
  const names = Object.keys(delivery.headers)
  if (names.length === 0) return noHeaders
  const kept: Record<string, HeaderValue> = {}
  for (const name of names) {
    const value = delivery.headers[name]
    if (userHeaderFault(name) === undefined && isHeaderValue(value)) kept[name] = value
  }
  return kept
}

/** Trace context of a delivery, for copies: a retry stays in the trace of its event. */
export const traceHeaders = (delivery: Delivery): Headers => {
  const { traceparent, tracestate } = delivery.headers
  return {
    ...(typeof traceparent === "string" && { traceparent }),
    ...(typeof tracestate === "string" && { tracestate: tracestate.slice(0, 512) })
  }
}

export const isHeaderValue = (value: unknown): value is HeaderValue =>
  typeof value === "string" || typeof value === "boolean" || (typeof value === "number" && Number.isFinite(value))

/** What a copy brings along of the returns that are counted against an event. */
export const returnsBefore = (delivery: Delivery): number => (delivery.trusted ? returnsIn(delivery.headers) : 0)

const returnsIn = (headers: Readonly<Record<string, unknown>>): number => whole(headers[names.returns]) ?? 0
const whole = (value: unknown): number | undefined =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : undefined
const text = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined)

const parseFailures = (value: unknown): ReadonlyArray<PastFailure> => {
  if (typeof value !== "string") return []
  let parsed: unknown
  try {
    parsed = JSON.parse(value)
  } catch {
    return []
  }
  return Array.isArray(parsed) ? parsed.filter(isPastFailure).slice(-keptFailures) : []
}

const isPastFailure = (value: unknown): value is PastFailure =>
  typeof value === "object" &&
  value !== null &&
  "at" in value &&
  typeof value.at === "number" &&
  "attempt" in value &&
  typeof value.attempt === "number" &&
  "tag" in value &&
  typeof value.tag === "string" &&
  "message" in value &&
  typeof value.message === "string"
