/**
 * What contracts promise, as data that can be committed and compared: the JSON Schema of every version, the checks that
 * it cannot express, and what follows from the contract. It is sorted and has no descriptions, so that a change of a
 * contract is a small change here, and an edit that changes nothing is none.
 */
import * as Schema from "effect/Schema"
import type { CachePolicy } from "../event/CacheSettings.ts"
import * as Event from "../event/Event.ts"
import { documentOf, NoJsonSchema } from "../event/standard/JsonSchemaOf.ts"
import { type AnySchema, isEffectSchema } from "../event/standard/StandardSchema.ts"
import * as Checks from "./Checks.ts"
import * as JsonChecks from "./JsonChecks.ts"
import * as Key from "./Key.ts"

export const Version = Schema.Struct({
  schema: Schema.Record(Schema.String, Schema.Unknown),
  /** By path: what JSON Schema cannot say. */
  checks: Schema.Record(Schema.String, Schema.Array(Schema.String))
})
export type Version = typeof Version.Type

export const Cache = Schema.Struct({
  last: Schema.Boolean,
  /** Null is for ever. */
  timeToLiveMillis: Schema.NullOr(Schema.Finite),
  history: Schema.Int,
  perKey: Schema.Boolean
})
export type Cache = typeof Cache.Type

export const Publishers = Schema.Struct({
  roles: Schema.NullOr(Schema.Array(Schema.String)),
  statuses: Schema.NullOr(Schema.Array(Schema.String)),
  hasCheck: Schema.Boolean
})
export type Publishers = typeof Publishers.Type

/** What askers get of a request. */
export const Answers = Schema.Struct({
  reply: Version,
  /** Null where the contract declares no errors. */
  error: Schema.NullOr(Version)
})
export type Answers = typeof Answers.Type

export const Contract = Schema.Struct({
  version: Schema.Int,
  /** How the key is put together: `{studentId}`. */
  key: Schema.NullOr(Schema.String),
  cache: Schema.NullOr(Cache),
  /** Null is everyone. */
  publishers: Schema.NullOr(Publishers),
  sensitive: Schema.Array(Schema.String),
  versions: Schema.Record(Schema.String, Version),
  /** Of requests alone. */
  answers: Schema.optionalKey(Answers)
})
export type Contract = typeof Contract.Type

export const Snapshot = Schema.Struct({
  kind: Schema.Literal("contracts.snapshot"),
  version: Schema.Literal(1),
  events: Schema.Record(Schema.String, Contract)
})
export type Snapshot = typeof Snapshot.Type

export const of = (events: Iterable<Event.Any>): Snapshot => ({
  kind: "contracts.snapshot",
  version: 1,
  events: Object.fromEntries(
    [...events].map((event) => [event.name, ofContract(event)] as const).toSorted(([a], [b]) => (a < b ? -1 : 1))
  )
})

const ofContract = (event: Event.Any): Contract => ({
  version: event.version,
  key: event.declaresKey ? Key.describe(event.keyOf) : null,
  cache: event.cache === false ? null : ofCache(event.cache),
  publishers:
    event.publishers === undefined
      ? null
      : {
          roles: event.publishers.roles === undefined ? null : [...event.publishers.roles].toSorted(),
          statuses: event.publishers.statuses === undefined ? null : [...event.publishers.statuses].toSorted(),
          hasCheck: event.publishers.hasCheck
        },
  sensitive: [...new Set(event.dataCodec.sensitive.paths.map((path) => path.join(".")))].toSorted(),
  versions: Object.fromEntries(
    versionsOf(event).map(({ data, version }) => [String(version), ofVersion(data)] as const)
  ),
  ...(Event.isRequest(event) && { answers: ofAnswers(event) })
})

const ofAnswers = ({ answers: { errorSchema, replySchema } }: Event.AnyRequest): Answers => ({
  reply: ofVersion(replySchema),
  error: errorSchema === undefined ? null : ofVersion(errorSchema)
})

/** The defaults that adapters apply. */
const ofCache = ({ history = 100, last = true, perKey = false, timeToLiveMillis }: CachePolicy): Cache => ({
  last,
  timeToLiveMillis: timeToLiveMillis ?? null,
  history,
  perKey
})

/** Every version that a contract reads, the newest last. */
export const versionsOf = (event: Event.Any): ReadonlyArray<{ readonly version: number; readonly data: AnySchema }> => [
  ...event.previous,
  { version: event.version, data: event.schema }
]

/** Of a Standard Schema this is what its library says of its input in JSON Schema, checks included. */
export const ofVersion = (data: AnySchema): Version => {
  const why = notComparedOf(data)
  // Without a JSON Schema anything is allowed, as far as one knows.
  if (why !== undefined) return { schema: {}, checks: { "": [why] } }
  const { definitions, schema } = documentOf(data)
  const whole = Object.keys(definitions).length === 0 ? schema : { ...schema, $defs: definitions }
  return {
    // Without its annotations a schema is an object still.
    schema: bare(whole) as Readonly<Record<string, unknown>>,
    checks: isEffectSchema(data) ? Checks.of(data) : JsonChecks.of(whole)
  }
}

/** Why the data of a version cannot be compared; undefined if it can. */
export const notComparedOf = (data: AnySchema): string | undefined => {
  if (isEffectSchema(data)) return undefined
  try {
    documentOf(data)
    return undefined
  } catch (error) {
    return error instanceof NoJsonSchema ? error.message : "its JSON Schema cannot be made"
  }
}

const annotations = new Set([
  "title",
  "description",
  "default",
  "examples",
  "format",
  "readOnly",
  "writeOnly",
  "$comment"
])
/** Keywords whose keys are names of the user, and those whose order says nothing. */
const namesBelow = new Set(["properties", "$defs", "patternProperties"])
const unordered = new Set(["required", "enum"])

/** Without annotations, and in an order of its own. */
const bare = (schema: unknown, isMap = false): unknown => {
  if (Array.isArray(schema)) return schema.map((part) => bare(part))
  if (typeof schema !== "object" || schema === null) return schema
  return Object.fromEntries(
    Object.entries(schema)
      .filter(([key]) => isMap || !annotations.has(key))
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, value]: [string, unknown]) => [
        key,
        !isMap && unordered.has(key) && Array.isArray(value)
          ? value.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
          : bare(value, !isMap && namesBelow.has(key))
      ])
  )
}

const decode = Schema.decodeUnknownResult(Schema.fromJsonString(Snapshot))

/** The snapshot in a text; a failure where it is none. */
export const parse = (text: string) => decode(text)

/** As it is committed. */
export const print = (snapshot: Snapshot): string => `${JSON.stringify(snapshot, null, 2)}\n`
