/**
 * The attributes of CloudEvents 1.0 as JSON
 * (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md), read from an
 * object that was parsed. A body as this library writes it is read from its text: only the data are parsed as
 * JSON, which takes half of the time, and the outcome is the same.
 */
import { Result } from "effect"
import type { Actor } from "./Actor.ts"
import { InvalidEvent } from "./EventError.ts"
import * as Limits from "./Limits.ts"
import { nameFault } from "./Name.ts"

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

type Fields = Readonly<Record<string, unknown>>

/** What stands before the value of the id in every event of one version from one source. */
export const opening = (source: string, type: string, version: number): string =>
  `{"specversion":"1.0","source":${JSON.stringify(source)},"type":"${type}",` +
  `"datacontenttype":"application/json","dataschema":"${dataSchema(type, version)}","id":`

/** An opening that was read once, attribute by attribute. */
interface Opening {
  readonly text: string
  readonly type: string
  readonly source: string
  readonly version: number
}

/** By type: from several sources, or while two versions are about, there are several. */
const openings = new Map<string, Array<Opening>>()
// Whoever sends what was never seen before makes nobody remember without end.
const mostTypes = 1000
const mostOfType = 8

/** The opening of this body, if it is known: its attributes are then those of all that begin so. */
const openingOf = (type: string, written: string): Opening | undefined => {
  const known = openings.get(type)
  if (known === undefined) return undefined
  // Compared as a slice: `startsWith` goes letter by letter.
  for (const opening of known) if (written.slice(0, opening.text.length) === opening.text) return opening
  return undefined
}

const remember = (written: string, type: string, source: string, version: number): void => {
  const text = opening(source, type, version)
  if (!written.startsWith(text)) return
  const known = openings.get(type) ?? []
  if (known.some((one) => one.text === text)) return
  if (known.length >= mostOfType) known.shift()
  known.push({ text, type, source, version })
  if (openings.size >= mostTypes) openings.clear()
  openings.set(type, known)
}

const afterId = '","time":"'
const afterTime = '"'
const beforeData = ',"data":'
const timeLength = 24

/**
 * A body with a known opening, followed by what `Codec.encoder` puts behind it; undefined for whatever looks
 * different, which is no verdict. `type` and `id` are the AMQP properties: a text cut out of the body would
 * keep the whole body in memory.
 */
export const parseOurs = (written: string, type: string | undefined, id: string | undefined): Parsed | undefined => {
  if (type === undefined || id === undefined || !isPlain(id)) return undefined
  const opening = openingOf(type, written)
  if (opening === undefined) return undefined
  const idAt = opening.text.length + 1
  const timeAt = idAt + id.length + afterId.length
  if (
    written.charCodeAt(idAt - 1) !== quote ||
    written.slice(idAt, idAt + id.length) !== id ||
    written.slice(idAt + id.length, timeAt) !== afterId
  )
    return undefined
  const time = parseTime(written.slice(timeAt, timeAt + timeLength))
  const restAt = timeAt + timeLength + afterTime.length
  if (Number.isNaN(time.getTime()) || written.charCodeAt(restAt - 1) !== quote) return undefined
  const dataAt = written.startsWith(beforeData, restAt) ? restAt : written.indexOf(beforeData, restAt)
  if (dataAt < 0 || written.charCodeAt(written.length - 1) !== brace) return undefined
  try {
    const json: unknown = JSON.parse(written.slice(dataAt + beforeData.length, -1))
    if (dataAt === restAt) return parsedOf(opening, id, time, nothing, json)
    // Between the two stand the attributes that an event may have; nested ones would not parse.
    const rest: unknown = JSON.parse(`{"":0${written.slice(restAt, dataAt)}}`)
    return isRecord(rest) && rest[""] === 0 && Object.keys(rest).every(isOptional) && optionalFault(rest) === undefined
      ? parsedOf(opening, id, time, rest, json)
      : undefined
  } catch {
    return undefined
  }
}

const quote = 0x22
const backslash = 0x5c
const brace = 0x7d
const nothing: Fields = {}

/** Whether JSON writes it as it is; short enough, in any case, for an id. */
const isPlain = (id: string): boolean => {
  if (id.length === 0 || id.length > Limits.shortBytes / 3) return false
  for (let i = 0; i < id.length; i++) {
    const code = id.charCodeAt(i)
    if (code < 0x20 || code > 0x7e || code === quote || code === backslash) return false
  }
  return true
}

/** `written` is the text of the whole body. */
export const parse = (body: Fields, written: string): Result.Result<Parsed, InvalidEvent> => {
  const { source, type } = body
  const name = typeof type === "string" && nameFault(type) === undefined ? type : "?"
  if (body["specversion"] !== "1.0") return bad(name, "specversion", 'expected "1.0"')
  if (name === "?") return bad(name, "type", "expected an event name: words of a-z, 0-9 and - between dots")
  if (!isShort(source) || source === "") return bad(name, "source", requiredText)
  const { id, data_base64: encoded } = body
  if (!isShort(id) || id === "") return bad(name, "id", requiredText)
  const long = optionalFault(body)
  if (long !== undefined) return bad(name, long, `expected a string of at most ${Limits.shortBytes} bytes`)
  const time = parseTime(body["time"])
  if (Number.isNaN(time.getTime())) return bad(name, "time", "expected an RFC 3339 time")
  const version = parseVersion(name, body["dataschema"])
  if (version === null) return bad(name, "dataschema", `expected "${dataSchema(name, 1)}" with the version at the end`)
  if (!absent(encoded) && typeof encoded !== "string") return bad(name, "data_base64", "expected base64 text")
  if (version !== undefined) remember(written, name, source, version)
  return Result.succeed(
    parsedOf({ type: name, source, version }, id, time, body, absent(encoded) ? body["data"] : encoded)
  )
}

const parsedOf = (
  { source, type, version }: { readonly type: string; readonly source: string; readonly version: number | undefined },
  id: string,
  time: Date,
  { actor, actorrole, actorstatus, causationid, correlationid, subject }: Fields,
  json: unknown
): Parsed => ({
  id,
  source,
  type,
  time,
  key: text(subject),
  version,
  correlationId: text(correlationid),
  causationId: text(causationid),
  actor: actor === undefined ? undefined : parseActor(text(actor), text(actorrole), text(actorstatus)),
  json
})

const optional = ["subject", "correlationid", "causationid", "actor", "actorrole", "actorstatus"] as const
const optionalNames: ReadonlySet<string> = new Set(["", ...optional])
const isOptional = (name: string): boolean => optionalNames.has(name)

/** The first of these that is no text or too long. */
const optionalFault = (body: Fields): string | undefined => {
  for (const attribute of optional) {
    const value = body[attribute]
    if (value !== undefined && value !== null && !isShort(value)) return attribute
  }
  return undefined
}

const bad = (name: string, path: string, expected: string) => Result.fail(InvalidEvent.of(name, path, expected))
const requiredText = `expected a string of 1 to ${Limits.shortBytes} bytes`

// `new Date` alone takes other forms too, some of them in the time zone of the machine.
const rfc3339 = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)$/

// Many events share a second; a text up to its seconds has 19 letters.
let lastSecond = "?"
let lastSecondMillis = 0

const parseTime = (time: unknown): Date => {
  if (absent(time)) return new Date(0)
  if (typeof time !== "string") return new Date(Number.NaN)
  // As this library writes it: 2027-02-03T10:20:30.456Z.
  const isOurs = time.length === 24 && time.charCodeAt(19) === 0x2e && time.charCodeAt(23) === 0x5a
  if (isOurs && time.startsWith(lastSecond)) {
    const millis = thousandths(time.charCodeAt(20), time.charCodeAt(21), time.charCodeAt(22))
    if (millis >= 0) return new Date(lastSecondMillis + millis)
  }
  if (!rfc3339.test(time)) return new Date(Number.NaN)
  if (!isOurs) return new Date(time.toUpperCase().replace(" ", "T"))
  const date = new Date(time)
  const millis = date.getTime()
  // A leap second, for one, is no time of ours.
  if (!Number.isNaN(millis) && date.toISOString() === time) {
    lastSecond = date.toISOString().slice(0, 19)
    lastSecondMillis = Math.floor(millis / 1000) * 1000
  }
  return date
}

/** What three digits say, negative when they are none. */
const thousandths = (one: number, two: number, three: number): number =>
  isDigit(one) && isDigit(two) && isDigit(three) ? (one - 0x30) * 100 + (two - 0x30) * 10 + (three - 0x30) : -1
const isDigit = (code: number): boolean => code >= 0x30 && code <= 0x39

const parseActor = (id: string | undefined, role: string | undefined, status: string | undefined): Actor | undefined =>
  id === undefined ? undefined : { id, role: role ?? "", ...(status !== undefined && { status }) }

/** The version in a `dataschema`; undefined when there is none of ours, null when ours is malformed. */
const parseVersion = (name: string, schema: unknown): number | undefined | null => {
  if (absent(schema)) return undefined
  if (typeof schema !== "string") return null
  if (!schema.startsWith("urn:event:")) return undefined
  const prefix = `urn:event:${name}:`
  const digits = schema.slice(prefix.length)
  return schema.startsWith(prefix) && /^[1-9]\d{0,8}$/.test(digits) ? Number(digits) : null
}

export const isRecord = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value)
const absent = (value: unknown): boolean => value === undefined || value === null
const text = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined)
const isShort = (value: unknown): value is string =>
  typeof value === "string" && (value.length <= Limits.shortBytes / 3 || Buffer.byteLength(value) <= Limits.shortBytes)
