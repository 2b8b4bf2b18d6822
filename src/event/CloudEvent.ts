/**
 * Reads the attributes of CloudEvents 1.0 in JSON
 * (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md) from a parsed object. A body in
 * the form that this library writes is read from its text instead: only the data is parsed as JSON, which takes half
 * the time and gives the same result.
 */
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import { type Actor, actorOf } from "./Actor.ts"
import { InvalidEvent } from "./EventError.ts"
import { text } from "./FieldValue.ts"
import * as Tenant from "./flow/Tenant.ts"
import * as Json from "./Json.ts"
import * as Limits from "./Limits.ts"
import * as MediaData from "./MediaData.ts"
import { nameFault } from "./Name.ts"
import * as Rfc3339 from "./Rfc3339.ts"
import { dataSchema, versionOf } from "./support/DataSchema.ts"

export { dataSchema }

/** The attributes of an event, and its data, not yet decoded by a contract. A class for the reason in `PlainRecord`. */
export class ParsedEvent {
  readonly id: string
  readonly source: string
  readonly type: string
  readonly time: Date
  readonly key: string | undefined
  /** Undefined if the publisher gave no version. */
  readonly version: number | undefined
  readonly correlationId: string | undefined
  readonly causationId: string | undefined
  readonly actor: Actor | undefined
  /** The data as JSON, or a Uint8Array if it is neither JSON nor text. */
  readonly json: unknown
  /** From when on it is not to be handled; undefined if it never expires. */
  readonly expiryTime: Date | undefined
  readonly tenant: string | undefined

  constructor(
    id: string,
    source: string,
    type: string,
    time: Date,
    key: string | undefined,
    version: number | undefined,
    correlationId: string | undefined,
    causationId: string | undefined,
    actor: Actor | undefined,
    json: unknown,
    expiryTime?: Date,
    tenant?: string
  ) {
    this.id = id
    this.source = source
    this.type = type
    this.time = time
    this.key = key
    this.version = version
    this.correlationId = correlationId
    this.causationId = causationId
    this.actor = actor
    this.json = json
    this.expiryTime = expiryTime
    this.tenant = tenant
  }
}

type Fields = Readonly<Record<string, unknown>>

/** The text before the value of the id, which is the same for all events of one version from one source. */
export const envelopeStart = (source: string, type: string, version: number): string =>
  `{"specversion":"1.0","source":${JSON.stringify(source)},"type":"${type}",` +
  `"datacontenttype":"application/json","dataschema":"${dataSchema(type, version)}","id":`

/** The start of a body whose attributes were parsed once. */
interface KnownStart {
  readonly text: string
  readonly type: string
  readonly source: string
  readonly version: number
}

/** By type. A type has several from several sources, or while two versions are in use. */
const knownStarts = new Map<string, Array<KnownStart>>()
// Bounds on memory: types and sources come from outside.
const maxTypes = 1000
const maxStartsPerType = 8

/** The known start of this body, if there is one: it has the attributes of all bodies that start with it. */
const knownStartOf = (type: string, written: string): KnownStart | undefined => {
  const known = knownStarts.get(type)
  if (known === undefined) return undefined
  // A comparison of slices is faster than `startsWith`, which compares one character at a time.
  for (const start of known) if (written.slice(0, start.text.length) === start.text) return start
  return undefined
}

const remember = (written: string, type: string, source: string, version: number): void => {
  // Bodies of this library have short sources, and starts are kept.
  if (!Limits.fits(source)) return
  const text = envelopeStart(source, type, version)
  if (!written.startsWith(text)) return
  const known = knownStarts.get(type) ?? []
  if (known.some((start) => start.text === text)) return
  if (known.length >= maxStartsPerType) known.shift()
  known.push({ text, type, source, version })
  if (knownStarts.size >= maxTypes) knownStarts.clear()
  knownStarts.set(type, known)
}

const afterId = '","time":"'
const afterTime = '"'
const beforeData = ',"data":'
const timeLength = 24

/**
 * Reads a body with a known start, followed by what `WireFormat.encoder` writes after it. Returns undefined for any
 * other form, which may be valid all the same. `type` and `id` are the AMQP properties: strings cut out of the body
 * would keep the whole body in memory.
 */
export const parseOwnForm = (
  written: string,
  type: string | undefined,
  id: string | undefined
): ParsedEvent | undefined => {
  if (type === undefined || id === undefined || !isPlain(id)) return undefined
  const start = knownStartOf(type, written)
  if (start === undefined) return undefined
  const idAt = start.text.length + 1
  const timeAt = idAt + id.length + afterId.length
  if (
    written.charCodeAt(idAt - 1) !== quote ||
    written.slice(idAt, idAt + id.length) !== id ||
    written.slice(idAt + id.length, timeAt) !== afterId
  )
    return undefined
  const time = Rfc3339.dateOf(written.slice(timeAt, timeAt + timeLength), undefined)
  const restAt = timeAt + timeLength + afterTime.length
  if (Number.isNaN(time.getTime()) || written.charCodeAt(restAt - 1) !== quote) return undefined
  const dataAt = written.startsWith(beforeData, restAt) ? restAt : written.indexOf(beforeData, restAt)
  if (dataAt < 0 || written.charCodeAt(written.length - 1) !== brace) return undefined
  try {
    const json: unknown = JSON.parse(written.slice(dataAt + beforeData.length, -1))
    if (Json.roundedAt(written, dataAt + beforeData.length) !== undefined) return undefined
    if (dataAt === restAt) return makeParsed(start, id, time, noFields, json)
    // The optional attributes stand in between. A nested object there would not parse.
    const rest: unknown = JSON.parse(`{"":0${written.slice(restAt, dataAt)}}`)
    return Predicate.isObject(rest) &&
      rest[""] === 0 &&
      Object.keys(rest).every(isOptional) &&
      optionalFault(rest) === undefined &&
      !isNoTime(rest["expirytime"])
      ? makeParsed(start, id, time, rest, json)
      : undefined
  } catch {
    return undefined
  }
}

const quote = 0x22
const backslash = 0x5c
const brace = 0x7d
const noFields: Fields = {}

/** Whether an id is short enough and appears in JSON without escapes. */
const isPlain = (id: string): boolean => {
  if (id.length === 0 || id.length > Limits.maxShortStringBytes / 3) return false
  for (let i = 0; i < id.length; i++) {
    const code = id.charCodeAt(i)
    if (code < 0x20 || code > 0x7e || code === quote || code === backslash) return false
  }
  return true
}

/** What the AMQP properties say of an event that does not say it itself. */
export interface Fallbacks {
  /** Milliseconds since the epoch. */
  readonly timestamp?: number | undefined
  readonly correlationId?: string | undefined
}

/** Reads a parsed body. `written` is its text. */
export const parse = (
  body: Fields,
  written: string,
  limits: Limits.Limits,
  fallbacks: Fallbacks
): Result.Result<ParsedEvent, InvalidEvent> =>
  Result.map(
    parseAttributes(body, fallbacks, (name) => dataOf(name, body, limits)),
    (parsed) => {
      if (parsed.version !== undefined) remember(written, parsed.type, parsed.source, parsed.version)
      return parsed
    }
  )

/** Reads a CloudEvent in binary mode: its attributes, its data as bytes, and their media type. */
export const parseBinary = (
  attributes: Fields,
  bytes: Buffer,
  contentType: string,
  limits: Limits.Limits,
  fallbacks: Fallbacks
): Result.Result<ParsedEvent, InvalidEvent> =>
  parseAttributes(attributes, fallbacks, (name) => {
    if (bytes.length === 0) return Result.succeed(undefined)
    const fault = Limits.sizeFault(bytes, limits)
    return fault === undefined ? at(name, "", MediaData.read(bytes, contentType, limits)) : invalid(name, "", fault)
  })

/** `readData` is called with the event's name once all attributes are valid. */
const parseAttributes = (
  body: Fields,
  { correlationId, timestamp }: Fallbacks,
  readData: (name: string) => Result.Result<unknown, InvalidEvent>
): Result.Result<ParsedEvent, InvalidEvent> => {
  const { id, source, type } = body
  const name = typeof type === "string" && nameFault(type) === undefined ? type : "?"
  if (body["specversion"] !== "1.0") return invalid(name, "specversion", 'expected "1.0"')
  if (name === "?") return invalid(name, "type", "expected an event name: words of a-z, 0-9 and - between dots")
  if (!isText(source, Limits.maxForeignTextBytes) || source === "")
    return invalid(name, "source", required(Limits.maxForeignTextBytes))
  if (!isText(id) || id === "") return invalid(name, "id", required(Limits.maxShortStringBytes))
  const wrong = optionalFault(body)
  if (wrong !== undefined) return invalid(name, wrong, `expected a string of at most ${maxBytesOf(wrong)} bytes`)
  const time = Rfc3339.dateOf(body["time"], timestamp)
  if (Number.isNaN(time.getTime())) return invalid(name, "time", "expected an RFC 3339 time")
  if (isNoTime(body["expirytime"])) return invalid(name, "expirytime", "expected an RFC 3339 time")
  const version = versionOf(name, body["dataschema"])
  if (version === null)
    return invalid(name, "dataschema", `expected "${dataSchema(name, 1)}" with the version at the end`)
  return Result.map(readData(name), (json) =>
    makeParsed({ type: name, source, version }, id, time, body, json, correlationId)
  )
}

/** The data of a body: JSON as it is, or the bytes of `data_base64` by their media type. */
const dataOf = (name: string, body: Fields, limits: Limits.Limits): Result.Result<unknown, InvalidEvent> => {
  const { data, data_base64: encoded, datacontenttype: contentType } = body
  if (Predicate.isNullish(encoded)) return Result.succeed(data)
  if (!Predicate.isNullish(data)) return invalid(name, "data_base64", "expected either data or data_base64, not both")
  const bytes = typeof encoded === "string" ? MediaData.fromBase64(encoded) : undefined
  if (bytes === undefined) return invalid(name, "data_base64", "expected base64 text")
  if (!Predicate.isNullish(contentType) && !isText(contentType))
    return invalid(name, "datacontenttype", `expected a string of at most ${Limits.maxShortStringBytes} bytes`)
  return at(name, "data_base64", MediaData.read(bytes, contentType ?? "application/octet-stream", limits))
}

const at = <A>(name: string, path: string, result: Result.Result<A, string>): Result.Result<A, InvalidEvent> =>
  Result.mapError(result, (fault) => InvalidEvent.of(name, path, fault))

const makeParsed = (
  { source, type, version }: { readonly type: string; readonly source: string; readonly version: number | undefined },
  id: string,
  time: Date,
  { actor, actorrole, actorstatus, causationid, correlationid, expirytime, subject, tenant }: Fields,
  json: unknown,
  absentCorrelationId?: string
): ParsedEvent =>
  new ParsedEvent(
    id,
    source,
    type,
    time,
    text(subject),
    version,
    text(correlationid) ?? absentCorrelationId,
    text(causationid),
    actor === undefined ? undefined : actorOf(text(actor), text(actorrole), text(actorstatus)),
    json,
    Predicate.isNullish(expirytime) ? undefined : Rfc3339.dateOf(expirytime, undefined),
    Tenant.read(tenant) ?? undefined
  )

/** Whether an attribute is there and is no time: ignored, it could let an event be handled too late. */
const isNoTime = (value: unknown): boolean =>
  !Predicate.isNullish(value) && Number.isNaN(Rfc3339.dateOf(value, undefined).getTime())

const optional = ["subject", "correlationid", "causationid", "actor", "actorrole", "actorstatus", "expirytime"] as const
const optionalNames: ReadonlySet<string> = new Set(["", ...optional, "tenant"])
const isOptional = (name: string): boolean => optionalNames.has(name)

const maxBytesOf = (name: string): number =>
  name === "subject" ? Limits.maxForeignTextBytes : Limits.maxShortStringBytes

/** The first optional attribute that is not a string, or too long. */
const optionalFault = (body: Fields): string | undefined => {
  for (const attribute of optional) {
    const value = body[attribute]
    if (value !== undefined && value !== null && !isText(value, maxBytesOf(attribute))) return attribute
  }
  return Tenant.read(body["tenant"]) === null ? "tenant" : undefined
}

const invalid = (name: string, path: string, expected: string) => Result.fail(InvalidEvent.of(name, path, expected))
const required = (maxBytes: number): string => `expected a string of 1 to ${maxBytes} bytes`

const isText = (value: unknown, maxBytes?: number): value is string =>
  typeof value === "string" && Limits.fits(value, maxBytes)
