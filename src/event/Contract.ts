/**
 * The compiled side of an event: its schemas turned into functions once, when the event is defined.
 * Everything here is synchronous and total: a fault is a value, never a throw.
 */
import { Result, Schema, SchemaAST, SchemaIssue, SchemaParser } from "effect"
import * as SchemaJITCompiler from "effect/schema/SchemaJITCompiler"
import { type Fault, InvalidEvent, UnknownVersion } from "./EventError.ts"
import { isSensitivePath, sensitivePaths } from "./Sensitive.ts"

/** Data of any schema that can be encoded without services. */
export type DataSchema = Schema.Top & { readonly DecodingServices: never; readonly EncodingServices: never }

/** One older version: how it looked, and how it becomes the next one. */
export interface PreviousVersion {
  readonly version: number
  readonly data: DataSchema
  readonly up: (data: unknown) => unknown
}

export interface Contract {
  /** JSON of valid data, or what is wrong with it. The reader is the publisher, so values are shown. */
  readonly encode: (data: unknown) => Result.Result<unknown, InvalidEvent>
  /** Data of the newest version from the JSON of any known version. Values are not shown. */
  readonly decode: (version: number, json: unknown) => Result.Result<unknown, InvalidEvent | UnknownVersion>
  /** `text` without the values that this data has in sensitive fields. */
  readonly redact: (text: string, data: unknown) => string
}

export const make = (
  name: string,
  version: number,
  data: DataSchema,
  previous: ReadonlyArray<PreviousVersion>
): Contract => {
  const codec = compile(data)
  const hidden = sensitivePaths(SchemaAST.toType(data.ast))
  const encodeData = SchemaParser.encodeUnknownResult(codec)
  const explain = SchemaParser.encodeUnknownResult(codec, { errors: "all", reportInput: true })
  const decoders = new Map<number, Decoder>([[version, { decode: decoder(codec), up: undefined }]])
  for (const old of previous) decoders.set(old.version, { decode: decoder(compile(old.data)), up: old.up })

  return {
    encode: (input) => {
      const encoded = encodeData(input)
      if (Result.isSuccess(encoded)) return Result.succeed(encoded.success)
      const detailed = explain(input)
      const issue = Result.isFailure(detailed) ? detailed.failure : encoded.failure
      return Result.fail(new InvalidEvent({ event: name, faults: faults(issue, hidden) }))
    },
    decode: (from, json) => {
      if (from > version) return Result.fail(new UnknownVersion({ event: name, version: from, known: version }))
      const start = decoders.get(from)
      if (start === undefined) {
        return Result.fail(InvalidEvent.of(name, "dataschema", `version ${from} is none of ${[...decoders.keys()]}`))
      }
      const decoded = start.decode(json)
      if (Result.isFailure(decoded)) {
        return Result.fail(new InvalidEvent({ event: name, faults: faults(decoded.failure, hidden) }))
      }
      let value: unknown = decoded.success
      for (let at = from; at < version; at++) {
        try {
          value = decoders.get(at)?.up?.(value)
        } catch {
          // What an upcaster throws may quote the payload: only the place is told.
          return Result.fail(InvalidEvent.of(name, "data", `the upcaster of version ${at} failed on it`))
        }
      }
      return Result.succeed(value)
    },
    redact: (text, input) =>
      hidden
        .flatMap((path) => valuesAt(input, path))
        .reduce((clean, secret) => clean.replaceAll(secret, hiddenText), text)
  }
}

interface Decoder {
  readonly decode: (json: unknown) => Result.Result<unknown, SchemaIssue.Issue>
  readonly up: ((data: unknown) => unknown) | undefined
}

const compile = (schema: DataSchema): DataSchema => {
  const codec: DataSchema = Schema.toCodecJson(schema)
  // Where `new Function` is forbidden these keep the interpreter.
  SchemaJITCompiler.enable(codec.ast)
  SchemaJITCompiler.enable(SchemaAST.flip(codec.ast))
  return codec
}

const decoder = (codec: DataSchema): Decoder["decode"] => SchemaParser.decodeUnknownResult(codec)

const hiddenText = "<hidden>"
const standard = SchemaIssue.makeFormatterStandardSchemaV1()

const faults = (issue: SchemaIssue.Issue, hidden: ReadonlyArray<ReadonlyArray<string>>): ReadonlyArray<Fault> =>
  standard(issue).issues.slice(0, 8).map(({ message, path = [] }) => {
    const keys = path.map((part) => (typeof part === "object" ? part.key : part))
    return {
      path: ["data", ...keys].map(String).join("."),
      expected: bounded(
        isSensitivePath(hidden, keys) ? message.replace(/(, got |Invalid data |with value ).*$/s, `$1${hiddenText}`) : message
      )
    }
  })

/** The texts at a path, long enough to be worth hiding; `*` goes through all of an array or record. */
const valuesAt = (value: unknown, path: ReadonlyArray<string>): ReadonlyArray<string> => {
  const [part, ...rest] = path
  if (typeof value === "string") return value.length >= 3 ? [value] : []
  if (typeof value === "number" || typeof value === "bigint") return String(value).length >= 4 ? [String(value)] : []
  if (typeof value !== "object" || value === null) return []
  // Below the end of the path everything is sensitive.
  const keep = part === undefined || part === "*"
  return Object.entries(value).flatMap(([key, inner]) => (keep || key === part ? valuesAt(inner, rest) : []))
}

const bounded = (text: string): string => (text.length > 300 ? `${text.slice(0, 300)}…` : text)
