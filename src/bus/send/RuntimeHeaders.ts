/**
 * The headers by which the runtime records what an event has been through. They are believed only on a delivery
 * that the runtime sent, so that outside input forges nothing, and are written anew on each copy: of a received
 * header table only what a user may set is copied.
 */
import * as Predicate from "effect/Predicate"
import * as BinaryMode from "../../event/BinaryMode.ts"
import { count, headerText, text } from "../../event/FieldValue.ts"
import * as Baggage from "../../event/flow/Baggage.ts"
import type { Delivery, Headers, HeaderValue } from "../port/Broker.ts"

export const names = {
  attempt: "bus-attempt",
  firstFailure: "bus-first-failure",
  postponed: "bus-postponed",
  postponedSince: "bus-postponed-since",
  unknown: "bus-unknown",
  unknownSince: "bus-unknown-since",
  due: "bus-due",
  failures: "bus-failures",
  returns: "bus-returns",
  replays: "bus-replays",
  replayId: "bus-replay-id",
  position: "bus-position",
  starts: "bus-starts",
  delayed: "bus-delayed",
  firstSpan: "bus-first-span",
  edits: "bus-edits"
} as const

/** What the publisher of a delayed event adds to its headers. */
export const delayedMark: Headers = { [names.delayed]: true }

/** One failed attempt, as it is kept in the history of an event. */
export interface PastFailure {
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly attempt: number
  readonly tag: string
  readonly message: string
}

/** One change of the data by an operator, between dead letter and replay. */
export interface PastEdit {
  /** Milliseconds since the epoch. */
  readonly at: number
  /** The fields that changed; their values are nowhere but in the body. */
  readonly paths: ReadonlyArray<string>
}

/** What an event has been through with one subscriber. */
export interface Progress {
  /** The number of the next attempt; 1 for a fresh event. */
  readonly attempt: number
  readonly firstFailure: number | undefined
  /** The last failures, oldest first, at most `keptFailures`. */
  readonly failures: ReadonlyArray<PastFailure>
  readonly postponed: number
  readonly postponedSince: number | undefined
  /** How often it was put off because the process that got it does not know its type or version. */
  readonly unknown: number
  readonly unknownSince: number | undefined
  /** How often it came back unsettled before this copy was made, which was made without an attempt. */
  readonly returns: number
  /** When it may run. Only for delays longer than one pass through the broker. */
  readonly due: number | undefined
  readonly replays: number
  readonly replayId: string | undefined
  /** The span of the first attempt, as a W3C traceparent. */
  readonly firstSpan: string | undefined
  /** The last changes of its data, oldest first, at most `keptEdits`. */
  readonly edits: ReadonlyArray<PastEdit>
}

export const keptEdits = 5
/** Paths that are kept of one edit, and the characters of each. */
export const keptPaths = { count: 8, length: 64 }
/** The part of the 16 KiB of a diagnosis that the edits may take. */
const editBytes = 2 * 1024
export const keptFailures = 10
const failureMessageLength = 200
const failureTagLength = 64
const traceparentLength = 55
/** The part of the 16 KiB of a diagnosis that the failures may take. */
const failureBytes = 6 * 1024
/** The bytes of a failure without its texts: names and numbers. */
const failureFixedBytes = 120

export const fresh: Progress = {
  attempt: 1,
  firstFailure: undefined,
  failures: [],
  postponed: 0,
  postponedSince: undefined,
  unknown: 0,
  unknownSince: undefined,
  returns: 0,
  due: undefined,
  replays: 0,
  replayId: undefined,
  firstSpan: undefined,
  edits: []
}

export const read = (delivery: Delivery): Progress => (delivery.trusted ? parse(delivery.headers) : fresh)

export const parse = (headers: Readonly<Record<string, unknown>>): Progress => ({
  attempt: Math.max(count(headers[names.attempt]) ?? 1, 1),
  firstFailure: count(headers[names.firstFailure]),
  failures: parseList(headers[names.failures], isPastFailure).slice(-keptFailures),
  postponed: count(headers[names.postponed]) ?? 0,
  postponedSince: count(headers[names.postponedSince]),
  unknown: count(headers[names.unknown]) ?? 0,
  unknownSince: count(headers[names.unknownSince]),
  returns: returnsIn(headers),
  due: count(headers[names.due]),
  replays: count(headers[names.replays]) ?? 0,
  replayId: text(headers[names.replayId]),
  firstSpan: text(headers[names.firstSpan])?.slice(0, traceparentLength),
  edits: parseList(headers[names.edits], isPastEdit).slice(-keptEdits)
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
  put(names.unknown, progress.unknown > 0 ? progress.unknown : undefined)
  put(names.unknownSince, progress.unknownSince)
  put(names.returns, progress.returns > 0 ? progress.returns : undefined)
  put(names.due, progress.due)
  put(names.replays, progress.replays > 0 ? progress.replays : undefined)
  put(names.replayId, progress.replayId)
  put(names.firstSpan, progress.firstSpan)
  put(names.edits, progress.edits.length > 0 ? JSON.stringify(progress.edits) : undefined)
  return headers
}

/** The place of a parked event. */
export interface Place {
  /** Its order among the events of its key: a copy of the head goes to the end of the queue and stays the head. */
  readonly position: number
  /** How often an attempt began and did not end: 0 except for an event that may kill the process. */
  readonly starts: number
}

export const readPlace = (delivery: Delivery): Place => ({
  position: count(delivery.headers[names.position]) ?? 0,
  starts: count(delivery.headers[names.starts]) ?? 0
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
  // Measured only where it may be too much: after the replacements of `plain`, JSON takes at most three bytes for one.
  const maxBytes = kept.reduce(
    (sum, { message, tag }) => sum + 3 * (message.length + tag.length) + failureFixedBytes,
    0
  )
  if (maxBytes > failureBytes) while (Buffer.byteLength(JSON.stringify(kept)) > failureBytes) kept.shift()
  return kept
}

/** Adds an edit. The oldest ones leave when all of them take too much of a diagnosis. */
export const addEdit = (edits: ReadonlyArray<PastEdit>, { at, paths }: PastEdit): ReadonlyArray<PastEdit> => {
  const kept = [
    ...edits.slice(-(keptEdits - 1)),
    { at, paths: paths.slice(0, keptPaths.count).map((path) => plain(path, keptPaths.length)) }
  ]
  while (Buffer.byteLength(JSON.stringify(kept)) > editBytes) kept.shift()
  return kept
}

/** Bounded, and without the characters that JSON writes with six bytes. */
const plain = (text: string, length: number): string => {
  const short = text.length > length ? text.slice(0, length) : text
  return isAscii(short) ? short : short.replace(/[\p{Cc}\p{Cs}]/gu, " ")
}

/** Whether all of it is printable ASCII. */
const isAscii = (text: string): boolean => {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code < 0x20 || code > 0x7e) return false
  }
  return true
}

/** Why a user may not set this header, or undefined if one may. */
export const userHeaderFault = (name: string): string | undefined =>
  /^(?:bus-|x-)/i.test(name) || name === "traceparent" || name === "tracestate"
    ? "belongs to the runtime or the broker"
    : name === "baggage"
      ? "is written by the option `baggage`"
      : name === "CC" || name === "BCC" || name === "__proto__" || name.length === 0
        ? "would be acted upon by the broker or the client"
        : undefined

const noHeaders: Headers = Object.freeze({})

/** The baggage of a delivery; undefined if it has none. */
export const baggageOf = (delivery: Delivery): Baggage.Baggage | undefined => {
  const { baggage: sent } = delivery.headers
  const header = sent === undefined ? undefined : headerText(sent)
  if (header === undefined) return undefined
  const baggage = Baggage.Baggage.read(header)
  return baggage.members.length === 0 ? undefined : baggage
}

/** The headers of a delivery that a user set: a copy keeps them beside those of the runtime. */
export const userHeaders = (delivery: Delivery): Headers => {
  const names = Object.keys(delivery.headers)
  if (names.length === 0) return noHeaders
  const kept: Record<string, HeaderValue> = {}
  for (const name of names) {
    const sent = delivery.headers[name]
    // The attributes of an event in binary mode are kept even if they are no plain values: its body is not the event.
    const value = isHeaderValue(sent) ? sent : BinaryMode.attributeText(name, sent)
    if (value !== undefined && userHeaderFault(name) === undefined) kept[name] = value
  }
  return kept
}

/** The headers without which a copy of this delivery would not be its event: the attributes in binary mode. */
export const eventHeaders = (delivery: Delivery): Headers =>
  Object.fromEntries(Object.entries(userHeaders(delivery)).filter(([name]) => BinaryMode.isAttribute(name)))

/** The trace context and the baggage of a delivery, for copies: a retry stays in the trace of its event. */
export const contextHeaders = (delivery: Delivery): Headers => {
  const traceparent = headerText(delivery.headers["traceparent"])
  const tracestate = headerText(delivery.headers["tracestate"])
  const baggage = headerText(delivery.headers["baggage"])
  return {
    ...(traceparent !== undefined && { traceparent: traceparent.slice(0, 512) }),
    ...(tracestate !== undefined && { tracestate: tracestate.slice(0, 512) }),
    ...(baggage !== undefined && { baggage: Baggage.cut(baggage) })
  }
}

export const isHeaderValue = (value: unknown): value is HeaderValue =>
  Predicate.isString(value) || Predicate.isBoolean(value) || Number.isFinite(value)

/** The returns that a copy brings along: they count against its event. */
export const returnsBefore = (delivery: Delivery): number => (delivery.trusted ? returnsIn(delivery.headers) : 0)

const returnsIn = (headers: Readonly<Record<string, unknown>>): number => count(headers[names.returns]) ?? 0

const parseList = <A>(value: unknown, isOne: (one: unknown) => one is A): ReadonlyArray<A> => {
  if (!Predicate.isString(value)) return []
  let parsed: unknown
  try {
    parsed = JSON.parse(value)
  } catch {
    return []
  }
  return Array.isArray(parsed) ? parsed.filter(isOne) : []
}

const isPastEdit = (value: unknown): value is PastEdit =>
  Predicate.isObject(value) &&
  Number.isSafeInteger(value["at"]) &&
  Array.isArray(value["paths"]) &&
  value["paths"].length <= keptPaths.count &&
  value["paths"].every((path) => Predicate.isString(path) && path.length <= keptPaths.length)

const isPastFailure = (value: unknown): value is PastFailure =>
  Predicate.isObject(value) &&
  Predicate.isNumber(value["at"]) &&
  Predicate.isNumber(value["attempt"]) &&
  Predicate.isString(value["tag"]) &&
  Predicate.isString(value["message"])
