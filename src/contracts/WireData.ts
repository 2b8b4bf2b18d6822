/** The data of a version as its publishers and subscribers have it: how it is written and read, and values of it. */
import * as Arbitrary from "effect/Arbitrary"
import type * as JsonSchema from "effect/JsonSchema"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import * as SchemaParser from "effect/SchemaParser"
import * as SchemaRepresentation from "effect/SchemaRepresentation"
import type { InvalidEvent, UnknownVersion } from "../event/EventError.ts"
import { documentOf } from "../event/standard/JsonSchemaOf.ts"
import * as StandardCodec from "../event/standard/StandardCodec.ts"
import {
  type AnySchema,
  type DataSchema,
  isEffectSchema,
  type StandardSchema
} from "../event/standard/StandardSchema.ts"

export interface WireData {
  /** The JSON of what a publish takes, or why it is refused. */
  readonly encode: (value: unknown) => Result.Result<unknown, string>
  /** What a handler gets. */
  readonly decode: (json: unknown) => Result.Result<unknown, string>
  /** Values that a publish takes, or why there are none. */
  readonly values: () => Result.Result<Arbitrary.Arbitrary<unknown>, string>
}

export const of = (data: AnySchema): WireData => (isEffectSchema(data) ? ofEffect(data) : ofStandard(data))

const ofEffect = (data: DataSchema): WireData => {
  const codec: DataSchema = Schema.toCodecJson(data)
  const [encode, decode] = [SchemaParser.encodeUnknownResult(codec), SchemaParser.decodeUnknownResult(codec)]
  return {
    encode: (value) => Result.mapError(encode(value), faultOf),
    decode: (json) => Result.mapError(decode(json), faultOf),
    values: () => generated(() => Arbitrary.schema(data))
  }
}

const ofStandard = (data: StandardSchema): WireData => {
  const { decode, encode } = StandardCodec.make("data", 1, data, [], [])
  const written: WireData["encode"] = (value) => Result.mapError(encode(value), textOf)
  return {
    encode: written,
    decode: (json) => Result.mapError(decode(1, json), textOf),
    values: () =>
      generated(() => {
        // Patterns are those of the contract's own author.
        const options = { patterns: "apply", onEnter: closed } as const
        const imported = SchemaRepresentation.fromJsonSchemaDocument(documentOf(data), options)
        // It was made without services.
        const values: Arbitrary.Arbitrary<unknown> = Arbitrary.schema(imported as DataSchema)
        // Its JSON Schema may allow what a check of the library refuses.
        return Arbitrary.filter(values, (value) => Result.isSuccess(written(value)))
      })
  }
}

/** Without fields that nobody named, which would say nothing. */
const closed = (schema: JsonSchema.JsonSchema): JsonSchema.JsonSchema =>
  schema["properties"] !== undefined && schema["additionalProperties"] === undefined
    ? { ...schema, additionalProperties: false }
    : schema

const generated = (make: () => Arbitrary.Arbitrary<unknown>): Result.Result<Arbitrary.Arbitrary<unknown>, string> =>
  Result.try({ try: make, catch: (error) => (error instanceof Error ? error.message : String(error)) })

const format = SchemaIssue.makeFormatterStandardSchemaV1()

const faultOf = (issue: SchemaIssue.Issue): string => {
  const [first] = format(issue).issues
  const path = (first?.path ?? []).map((part) => String(typeof part === "object" ? part.key : part)).join(".")
  return `${path === "" ? "" : `${path}: `}${first?.message ?? "invalid"}`
}

/** Values are generated, so the fault may show them; its path begins with `data`. */
const textOf = (error: InvalidEvent | UnknownVersion): string => {
  const [fault] = error._tag === "InvalidEvent" ? error.faults : []
  if (fault === undefined) return error.message
  const path = fault.path.replace(/^data\.?/, "")
  return `${path === "" ? "" : `${path}: `}${fault.expected}`
}
