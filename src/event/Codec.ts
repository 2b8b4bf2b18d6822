/**
 * The wire form of an event: structured-mode CloudEvents 1.0 in JSON
 * (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md). What is
 * written here is read by other services for years: names and forms are part of the public contract.
 *
 * Two directions: `encoder` makes the function that writes one contract's events; `parse` reads the
 * outer part of any body, and the contract then decodes its data.
 */
import { Result } from "effect"
import type { Actor } from "./Actor.ts"
import type * as Envelope from "./Envelope.ts"
import type * as Event from "./Event.ts"
import { InvalidEvent, UnknownEvent, type UnknownVersion } from "./EventError.ts"
import * as Limits from "./Limits.ts"
import { nameFault } from "./Name.ts"

export const contentType = "application/cloudevents+json"

/** The `dataschema` of version `version` of event `name`. */
export const dataSchema = (name: string, version: number): string => `urn:event:${name}:${version}`

/** What a body says around its data. `json` is not yet decoded by a contract. */
export interface Parsed {
  readonly id: string
  readonly source: string
  readonly type: string
  readonly time: Date
  readonly key: string | undefined
  /** Undefined when the publisher named no version. */
  readonly version: number | undefined
  readonly correlationId: string | undefined
  readonly causationId: string | undefined
  readonly actor: Actor | undefined
  readonly json: unknown
}

/** The parts of an envelope that differ from event to event. */
export interface Head {
  readonly id: string
  /** Milliseconds since the epoch. */
  readonly time: number
  readonly key: string | undefined
  readonly correlationId: string | undefined
  readonly causationId: string | undefined
  readonly actor: Actor | undefined
}

/**
 * Writes events of one contract from one source. The constant part is made once, so an event costs
 * one `JSON.stringify` of its data and a concatenation. Ids are escaped too: a caller may choose them.
 */
export const encoder = (event: Event.Any, source: string): ((head: Head, json: unknown) => string) => {
  const before =
    `{"specversion":"1.0","source":${JSON.stringify(source)},"type":"${event.name}",` +
    `"datacontenttype":"application/json","dataschema":"${dataSchema(event.name, event.version)}","id":`
  return (head, json) => {
    let text = `${before}${JSON.stringify(head.id)},"time":"${isoTime(head.time)}"`
    if (head.key !== undefined) text += `,"subject":${JSON.stringify(head.key)}`
    if (head.correlationId !== undefined) text += `,"correlationid":${JSON.stringify(head.correlationId)}`
    if (head.causationId !== undefined) text += `,"causationid":${JSON.stringify(head.causationId)}`
    if (head.actor !== undefined) text += actorText(head.actor)
    return `${text},"data":${JSON.stringify(json) ?? "null"}}`
  }
}

// CloudEvents attributes are simple values, so an actor is three of them.
const actorText = (actor: Actor): string =>
  `,"actor":${JSON.stringify(actor.id)},"actorrole":${JSON.stringify(actor.role)}` +
  (actor.status === undefined ? "" : `,"actorstatus":${JSON.stringify(actor.status)}`)

let lastMillis = Number.NaN
let lastText = ""
// Many events share a millisecond, and formatting a time costs as much as writing the rest.
const isoTime = (millis: number): string => {
  if (millis !== lastMillis) {
    lastText = new Date(millis).toISOString()
    lastMillis = millis
  }
  return lastText
}

/** What the broker said about a body, for publishers that send plain JSON. */
export interface Hints {
  /** AMQP `type` property: the event name of a plain JSON body. */
  readonly type?: string | undefined
  readonly id?: string | undefined
  readonly source?: string | undefined
  readonly time?: Date | undefined
}

/** Reads a body as far as the runtime needs it, limits first. */
export const parse = (body: Buffer, limits: Limits.Limits, hints: Hints = {}): Result.Result<Parsed, InvalidEvent> => {
  const named = hints.type ?? "?"
  const fault = Limits.bodyFault(body, limits)
  if (fault !== undefined) return Result.fail(InvalidEvent.of(named, "", fault))
  const written = body.toString("utf8")
  let json: unknown
  try {
    json = JSON.parse(written)
  } catch {
    // V8's message quotes the body, so it is not passed on.
    return Result.fail(InvalidEvent.of(named, "", "the body is not JSON"))
  }
  if (Limits.hidesForbiddenKey(written, json))
    return Result.fail(InvalidEvent.of(named, "", 'the body has a key "__proto__"'))
  if (isRecord(json) && Object.hasOwn(json, "specversion")) return parseCloudEvent(json)
  return hints.type === undefined || nameFault(hints.type) !== undefined
    ? Result.fail(
        InvalidEvent.of(
          "?",
          "specversion",
          "expected a CloudEvents body, or plain JSON with the event's name in the AMQP property `type`"
        )
      )
    : Result.succeed({
        id: hints.id ?? "",
        source: hints.source ?? "",
        type: hints.type,
        time: hints.time ?? new Date(0),
        key: undefined,
        version: undefined,
        correlationId: undefined,
        causationId: undefined,
        actor: undefined,
        json
      })
}

const required = ["id", "source"] as const
const optional = ["subject", "correlationid", "causationid", "actor", "actorrole", "actorstatus"] as const

const parseCloudEvent = (body: Readonly<Record<string, unknown>>): Result.Result<Parsed, InvalidEvent> => {
  const type = body["type"]
  const name = typeof type === "string" && nameFault(type) === undefined ? type : "?"
  const bad = (path: string, expected: string) => Result.fail(InvalidEvent.of(name, path, expected))
  if (body["specversion"] !== "1.0") return bad("specversion", 'expected "1.0"')
  if (name === "?") return bad("type", "expected an event name: words of a-z, 0-9 and - between dots")
  for (const attribute of required) {
    if (!isShort(body[attribute]) || body[attribute] === "")
      return bad(attribute, `expected a string of 1 to ${Limits.shortBytes} bytes`)
  }
  for (const attribute of optional) {
    const value = body[attribute]
    if (value !== undefined && value !== null && !isShort(value))
      return bad(attribute, `expected a string of at most ${Limits.shortBytes} bytes`)
  }
  const time = parseTime(body["time"])
  if (Number.isNaN(time.getTime())) return bad("time", "expected an RFC 3339 time")
  const version = parseVersion(name, body["dataschema"])
  if (version === null) return bad("dataschema", `expected "${dataSchema(name, 1)}" with the version at the end`)
  const encoded = body["data_base64"]
  if (!absent(encoded) && typeof encoded !== "string") return bad("data_base64", "expected base64 text")
  return Result.succeed({
    id: text(body["id"]) ?? "",
    source: text(body["source"]) ?? "",
    type: name,
    time,
    key: text(body["subject"]),
    version,
    correlationId: text(body["correlationid"]),
    causationId: text(body["causationid"]),
    actor: parseActor(text(body["actor"]), text(body["actorrole"]), text(body["actorstatus"])),
    json: absent(encoded) ? body["data"] : encoded
  })
}

// `new Date` alone takes other forms too, some of them in the time zone of the machine.
const rfc3339 = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)$/

const parseTime = (time: unknown): Date => {
  if (absent(time)) return new Date(0)
  if (typeof time !== "string" || !rfc3339.test(time)) return new Date(Number.NaN)
  // As this library writes it, it needs no more than that.
  return new Date(
    time.length === 24 && time[10] === "T" && time[23] === "Z" ? time : time.toUpperCase().replace(" ", "T")
  )
}

const parseActor = (id: string | undefined, role: string | undefined, status: string | undefined): Actor | undefined =>
  id === undefined ? undefined : { id, role: role ?? "", ...(status !== undefined && { status }) }

// Most events are of the type of the one before.
let lastSchema = ""
let lastName = ""
let lastVersion = 0

/** The version in a `dataschema`; undefined when there is none of ours, null when ours is malformed. */
const parseVersion = (name: string, schema: unknown): number | undefined | null => {
  if (absent(schema)) return undefined
  if (typeof schema !== "string") return null
  if (schema === lastSchema && name === lastName) return lastVersion
  if (!schema.startsWith("urn:event:")) return undefined
  const prefix = `urn:event:${name}:`
  const digits = schema.slice(prefix.length)
  if (!schema.startsWith(prefix) || !/^[1-9]\d{0,8}$/.test(digits)) return null
  lastSchema = schema
  lastName = name
  lastVersion = Number(digits)
  return lastVersion
}

/** The envelope of a parsed body, decoded by its contract. */
export const decode = (
  parsed: Parsed,
  contract: Event.Any | undefined
): Result.Result<Envelope.Envelope, InvalidEvent | UnknownVersion | UnknownEvent> => {
  if (contract === undefined) return Result.fail(new UnknownEvent({ event: parsed.type }))
  const version = parsed.version ?? contract.version
  const data = contract.contract.decode(version, parsed.json)
  if (Result.isFailure(data)) return Result.fail(data.failure)
  return Result.succeed({
    id: parsed.id,
    type: parsed.type,
    version,
    source: parsed.source,
    time: parsed.time,
    key: parsed.key,
    correlationId: parsed.correlationId,
    causationId: parsed.causationId,
    actor: parsed.actor,
    data: data.success
  })
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)
const absent = (value: unknown): boolean => value === undefined || value === null
const text = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined)
const isShort = (value: unknown): boolean =>
  typeof value === "string" && (value.length <= Limits.shortBytes / 3 || Buffer.byteLength(value) <= Limits.shortBytes)
