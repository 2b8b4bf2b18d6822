/**
 * The wire format of events: structured-mode CloudEvents 1.0 in JSON
 * (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md). Other services read for years
 * what is written here, so names and forms are part of the public contract.
 *
 * `encoder` makes the function that writes the events of one contract. `parse` reads the attributes of any body, and
 * `decode` then decodes its data by the contract.
 */
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import type { Actor } from "./Actor.ts"
import * as BinaryMode from "./BinaryMode.ts"
import { type Body, bytesOf, textOf } from "./Body.ts"
import * as CloudEvent from "./CloudEvent.ts"
import type * as Envelope from "./Envelope.ts"
import type * as Event from "./Event.ts"
import { InvalidEvent, quoted, UnknownEvent, type UnknownVersion } from "./EventError.ts"
import * as Json from "./Json.ts"
import * as Limits from "./Limits.ts"
import * as MediaData from "./MediaData.ts"
import { nameFault } from "./Name.ts"
import * as Later from "./standard/Later.ts"
import * as PlainRecord from "./support/PlainRecord.ts"

export const contentType = "application/cloudevents+json"

/** The media type of copies of a message that has none: like none, it does not say whether the body is a CloudEvent. */
export const foreignContentType = "application/json"

/** The attributes that differ from event to event. */
export interface EnvelopeFields {
  readonly id: string
  /** Milliseconds since the epoch. */
  readonly time: number
  readonly key: string | undefined
  readonly correlationId: string | undefined
  readonly causationId: string | undefined
  readonly actor: Actor | undefined
  /** Milliseconds since the epoch; undefined for an event that never expires. */
  readonly expiryTime?: number | undefined
  readonly tenant?: string | undefined
}

/**
 * Makes the function that writes events of one contract from one source. The constant part is made once, so an event
 * costs one `JSON.stringify` of its data and a concatenation. Ids are escaped as well, because callers may choose them.
 */
export const encoder = (event: Event.Any, source: string): ((fields: EnvelopeFields, json: unknown) => string) => {
  const start = CloudEvent.envelopeStart(source, event.name, event.version)
  return (fields, json) => {
    let text = `${start}${JSON.stringify(fields.id)},"time":"${isoTime(fields.time)}"`
    if (fields.key !== undefined) text += `,"subject":${JSON.stringify(fields.key)}`
    if (fields.correlationId !== undefined) text += `,"correlationid":${JSON.stringify(fields.correlationId)}`
    if (fields.causationId !== undefined) text += `,"causationid":${JSON.stringify(fields.causationId)}`
    if (fields.actor !== undefined) text += actorText(fields.actor)
    if (fields.tenant !== undefined) text += `,"tenant":${JSON.stringify(fields.tenant)}`
    // Not by `isoTime`, which is fast for times that share a second with the one before.
    if (fields.expiryTime !== undefined) text += `,"expirytime":"${new Date(fields.expiryTime).toISOString()}"`
    return `${text},"data":${JSON.stringify(json) ?? "null"}}`
  }
}

// CloudEvents attributes are simple values, so an actor becomes three of them.
const actorText = (actor: Actor): string =>
  `,"actor":${JSON.stringify(actor.id)},"actorrole":${JSON.stringify(actor.role)}` +
  (actor.status === undefined ? "" : `,"actorstatus":${JSON.stringify(actor.status)}`)

let lastSecond = Number.NaN
let untilMillis = ""
// Many events share a second, and formatting a time costs as much as everything else here.
const isoTime = (millis: number): string => {
  const second = Math.floor(millis / 1000)
  if (second !== lastSecond) {
    untilMillis = new Date(second * 1000).toISOString().slice(0, -4)
    lastSecond = second
  }
  const rest = Math.floor(millis) - second * 1000
  return `${untilMillis}${rest < 10 ? "00" : rest < 100 ? "0" : ""}${rest}Z`
}

/** What the AMQP properties say about a body; needed for publishers other than this library. */
export interface PropertyHints {
  /** The event name. */
  readonly type?: string | undefined
  readonly messageId?: string | undefined
  readonly appId?: string | undefined
  /** Milliseconds since the epoch. */
  readonly timestamp?: number | undefined
  readonly correlationId?: string | undefined
  readonly contentType?: string | undefined
  readonly contentEncoding?: string | undefined
}

const noHints: PropertyHints = {}
const noHeaders: Readonly<Record<string, unknown>> = {}

/**
 * Checks the limits of a message, then reads its attributes; its data is not decoded yet. By its media type, headers and
 * body it is a CloudEvent in structured or in binary mode, or plain JSON.
 */
export const parse = (
  body: Body,
  limits: Limits.Limits,
  hints: PropertyHints = noHints,
  headers: Readonly<Record<string, unknown>> = noHeaders
): Result.Result<CloudEvent.ParsedEvent, InvalidEvent> => {
  const { contentEncoding } = hints
  if (contentEncoding !== undefined && contentEncoding !== "utf-8" && MediaData.isEncoded(contentEncoding))
    return Result.fail(InvalidEvent.of(hints.type ?? "?", "", encoded(contentEncoding)))
  if (hints.contentType !== contentType) {
    const foreign = parseForeign(body, limits, hints, headers)
    if (foreign !== undefined) return foreign
  }
  const size = Limits.sizeFault(body, limits)
  if (size !== undefined) return Result.fail(InvalidEvent.of(hints.type ?? "?", "", size))
  const written = textOf(body)
  const fault = Limits.textFault(body, written, limits)
  if (fault !== undefined) return Result.fail(InvalidEvent.of(hints.type ?? "?", "", fault))
  const ownForm = CloudEvent.parseOwnForm(written, hints.type, hints.messageId)
  if (ownForm !== undefined && !Limits.hidesForbiddenKey(written, ownForm.json)) return Result.succeed(ownForm)
  const json = Json.parse(written, "the body")
  if (Result.isFailure(json)) return Result.fail(InvalidEvent.of(hints.type ?? "?", "", json.failure))
  return isStructured(json.success, hints)
    ? CloudEvent.parse(json.success, written, limits, hints)
    : parsePlain(json.success, hints)
}

const encoded = (contentEncoding: string): string =>
  `its content encoding is "${quoted(contentEncoding)}", but bodies are read without any: send it uncompressed`

const cloudEvents = "application/cloudevents"

/** Reads a CloudEvent in binary mode, and refuses the formats that are not read. Undefined for any other message. */
const parseForeign = (
  body: Body,
  limits: Limits.Limits,
  hints: PropertyHints,
  headers: Readonly<Record<string, unknown>>
): Result.Result<CloudEvent.ParsedEvent, InvalidEvent> | undefined => {
  const { type = "?" } = hints
  const given = hints.contentType ?? ""
  const media = MediaData.mediaTypeOf(given)
  if (media === contentType) return undefined
  if (media.startsWith(cloudEvents))
    return Result.fail(
      InvalidEvent.of(
        type,
        "",
        `its content type is "${quoted(given)}", but CloudEvents are read as ${contentType} only`
      )
    )
  const attributes = BinaryMode.attributesOf(headers)
  if (attributes === undefined) return undefined
  const declared = attributes["datacontenttype"]
  const data = given !== "" ? given : typeof declared === "string" ? declared : "application/json"
  return CloudEvent.parseBinary(attributes, bytesOf(body), data, limits, hints)
}

/**
 * The id that a CloudEvent gives itself although it is not valid: its dead letter is found by it. Undefined if there is none,
 * or none that an id may be.
 */
export const claimedId = (
  body: Body,
  limits: Limits.Limits,
  headers: Readonly<Record<string, unknown>> = noHeaders
): string | undefined => {
  const id = BinaryMode.attributesOf(headers)?.["id"] ?? claimedIn(body, limits)
  return typeof id === "string" && id !== "" && Limits.fits(id) ? id : undefined
}

const claimedIn = (body: Body, limits: Limits.Limits): unknown => {
  if (Limits.sizeFault(body, limits) !== undefined) return undefined
  const written = textOf(body)
  if (Limits.textFault(body, written, limits) !== undefined) return undefined
  try {
    const json: unknown = JSON.parse(written)
    // Plain JSON may have an id of something else.
    return Predicate.isObject(json) && Object.hasOwn(json, "specversion") && Object.hasOwn(json, "id")
      ? json["id"]
      : undefined
  } catch {
    return undefined
  }
}

const required = ["specversion", "id", "source", "type"]

/**
 * Whether a body is a CloudEvent. Where the media type does not say so, it has all required attributes, or nothing else
 * says what it is: plain JSON may have a field `specversion` of its own.
 */
const isStructured = (json: unknown, hints: PropertyHints): json is Readonly<Record<string, unknown>> => {
  if (!Predicate.isObject(json)) return false
  if (hints.contentType !== undefined && MediaData.mediaTypeOf(hints.contentType) === contentType) return true
  return hints.type === undefined
    ? Object.hasOwn(json, "specversion")
    : required.every((attribute) => Object.hasOwn(json, attribute))
}

const parsePlain = (
  json: unknown,
  { appId, contentType: given, correlationId, messageId, timestamp, type }: PropertyHints
): Result.Result<CloudEvent.ParsedEvent, InvalidEvent> => {
  if (given !== undefined && MediaData.mediaTypeOf(given) === contentType)
    return Result.fail(InvalidEvent.of(type ?? "?", "", `its content type is ${contentType}, but it is not an object`))
  return type === undefined || nameFault(type) !== undefined
    ? Result.fail(
        InvalidEvent.of(
          "?",
          "specversion",
          "expected a CloudEvents body, or plain JSON with the event's name in the AMQP property `type`"
        )
      )
    : Result.succeed(
        new CloudEvent.ParsedEvent(
          messageId ?? "",
          appId ?? "",
          type,
          new Date(timestamp ?? 0),
          undefined,
          undefined,
          correlationId,
          undefined,
          undefined,
          json
        )
      )
}

/**
 * Decodes the data of a parsed body by its contract, and returns the whole envelope. The key is that of the contract. The
 * failure may be a `Later`.
 */
export const decode = (
  parsed: CloudEvent.ParsedEvent,
  contract: Event.Any | undefined
): Result.Result<Envelope.Envelope, InvalidEvent | UnknownVersion | UnknownEvent> => {
  if (contract === undefined) return Result.fail(new UnknownEvent({ event: parsed.type }))
  const version = parsed.version ?? contract.version
  const data = contract.dataCodec.decode(version, parsed.json)
  if (Result.isFailure(data)) {
    return data.failure instanceof Later.Later
      ? Later.whenKnown(contract.name, data, (known) =>
          Result.flatMap(known, (value) => envelopeOf(parsed, contract, version, value))
        )
      : Result.fail(data.failure)
  }
  return envelopeOf(parsed, contract, version, data.success)
}

const envelopeOf = (
  parsed: CloudEvent.ParsedEvent,
  contract: Event.Any,
  version: number,
  data: unknown
): Result.Result<Envelope.Envelope, InvalidEvent> => {
  const key = contract.declaresKey ? keyOf(contract, data) : parsed.key
  if (key === null) return Result.fail(InvalidEvent.of(parsed.type, "subject", noKeyOfContract))
  return Result.succeed(new Decoded(parsed, version, key, data))
}

const Decoded = PlainRecord.constructorOf<
  [parsed: CloudEvent.ParsedEvent, version: number, key: string | undefined, data: unknown],
  Envelope.Envelope
>(function (parsed, version, key, data) {
  this.id = parsed.id
  this.type = parsed.type
  this.version = version
  this.source = parsed.source
  this.time = parsed.time
  this.key = key
  this.correlationId = parsed.correlationId
  this.causationId = parsed.causationId
  this.actor = parsed.actor
  this.data = data
  if (parsed.expiryTime !== undefined) this.expiryTime = parsed.expiryTime
  if (parsed.tenant !== undefined) this.tenant = parsed.tenant
})

/**
 * The key by the contract: a `subject` is only what the sender says, and may be missing or forged. Null if the contract
 * gives none for this data. The error of a contract that throws is dropped because it may quote the payload.
 */
const keyOf = (contract: Event.Any, data: unknown): string | undefined | null => {
  try {
    // Contracts come from outside of TypeScript too.
    const key: unknown = contract.keyOf(data)
    return typeof key === "string" || key === undefined ? key : null
  } catch {
    return null
  }
}

const noKeyOfContract = "the contract's `key` threw on this data, or returned no text"
