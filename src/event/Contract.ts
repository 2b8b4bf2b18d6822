/**
 * The compiled side of an event: its schemas turned into functions once, when the event is defined.
 * Everything here is synchronous and total: a fault is a value, never a throw.
 */
import { Option, Result, Schema, SchemaAST, SchemaIssue, SchemaParser } from "effect"
import * as SchemaJITCompiler from "effect/schema/SchemaJITCompiler"
import { type Fault, InvalidEvent, UnknownVersion } from "./EventError.ts"
import { sensitivePaths, sensitivePrefix } from "./Sensitive.ts"

/** Data of any schema that can be encoded without services. */
export type DataSchema = Schema.Top & { readonly DecodingServices: never; readonly EncodingServices: never }

/** One older version: how it looked, and how it becomes the next one. */
export interface PreviousVersion {
  readonly version: number
  readonly data: DataSchema
  readonly up: (data: unknown) => unknown
}

export interface Contract {
  /** Whether valid data may nest or grow without a bound of the schema: recursive, or of any shape. */
  readonly open: boolean
  /** JSON of valid data, or what is wrong with it. The reader is the publisher, so values are shown. */
  readonly encode: (data: unknown) => Result.Result<unknown, InvalidEvent>
  /** Data of the newest version from the JSON of any known version. Values are not shown. */
  readonly decode: (version: number, json: unknown) => Result.Result<unknown, InvalidEvent | UnknownVersion>
  /** The values that this data has in sensitive fields, as they may stand in a text. */
  readonly secrets: (data: unknown) => ReadonlyArray<string>
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
  const hidden = sensitivePaths(data.ast)
  const secrets = (input: unknown): ReadonlyArray<string> =>
    hidden.flatMap((path) => valuesAt(input, path)).flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1)])
  const isNewest = lazily(() => SchemaParser.is(data))
  const encodeData = guarded(SchemaParser.encodeUnknownResult(codec))
  const explain = SchemaParser.encodeUnknownResult(codec, { errors: "all" })
  const explainWithValues = SchemaParser.encodeUnknownResult(codec, { errors: "all", reportInput: true })
  const decoders = new Map<number, Decoder>([[version, { decode: decoder(codec), up: undefined }]])
  for (const old of previous) decoders.set(old.version, { decode: decoder(compile(old.data)), up: old.up })

  return {
    open: isOpen(data.ast),
    encode: (input) => {
      const encoded = encodeData(input)
      if (encoded === undefined) return Result.fail(InvalidEvent.of(name, "data", thrown(version)))
      if (Result.isSuccess(encoded)) return Result.succeed(encoded.success)
      const [silent, detailed] = [explain(input), explainWithValues(input)]
      const issue = Result.isFailure(silent) ? silent.failure : encoded.failure
      const shown = Result.isFailure(detailed) ? detailed.failure : issue
      return Result.fail(new InvalidEvent({ event: name, faults: faults(issue, hidden, shown) }))
    },
    decode: (from, json) => {
      if (from > version) return Result.fail(new UnknownVersion({ event: name, version: from, known: version }))
      const start = decoders.get(from)
      if (start === undefined) {
        return Result.fail(InvalidEvent.of(name, "dataschema", `version ${from} is none of ${[...decoders.keys()]}`))
      }
      const decoded = start.decode(json)
      if (decoded === undefined) return Result.fail(InvalidEvent.of(name, "data", thrown(from)))
      if (Result.isFailure(decoded)) {
        return Result.fail(new InvalidEvent({ event: name, faults: faults(decoded.failure, hidden) }))
      }
      if (from === version) return Result.succeed(decoded.success)
      let value: unknown = decoded.success
      for (let at = from; at < version; at++) {
        try {
          value = decoders.get(at)?.up?.(value)
        } catch {
          // What an upcaster throws may quote the payload: only the place is told.
          return Result.fail(InvalidEvent.of(name, "data", `the upcaster of version ${at} failed on it`))
        }
      }
      return isNewest(value)
        ? Result.succeed(value)
        : Result.fail(
            InvalidEvent.of(
              name,
              "data",
              `the upcasters made of version ${from} what version ${version} does not accept`
            )
          )
    },
    secrets,
    redact: (text, input) => hide(text, secrets(input))
  }
}

/** The longest first: a short one may be a part of it. */
export const hide = (text: string, secrets: ReadonlyArray<string>): string =>
  secrets.toSorted((a, b) => b.length - a.length).reduce((clean, secret) => clean.replaceAll(secret, hiddenText), text)

/** Upcasting is rare, so what checks it is made when it happens. */
const lazily = (make: () => (value: unknown) => boolean): ((value: unknown) => boolean) => {
  let made: ((value: unknown) => boolean) | undefined
  return (value) => {
    made ??= make()
    return made(value)
  }
}

const isOpen = (ast: SchemaAST.AST): boolean => {
  switch (ast._tag) {
    case "Suspend":
    case "Unknown":
    case "Any":
    case "ObjectKeyword":
      return true
    case "Objects":
      return (
        ast.propertySignatures.some(({ type }) => isOpen(type)) || ast.indexSignatures.some(({ type }) => isOpen(type))
      )
    case "Arrays":
      return [...ast.elements, ...ast.rest].some(isOpen)
    case "Union":
      return ast.types.some(isOpen)
    case "Declaration":
      return ast.typeParameters.some(isOpen) || (ast.encoding ?? []).some(({ to }) => isOpen(to))
    default:
      return (ast.encoding ?? []).some(({ to }) => isOpen(to))
  }
}

interface Decoder {
  readonly decode: (json: unknown) => Result.Result<unknown, SchemaIssue.Issue> | undefined
  readonly up: ((data: unknown) => unknown) | undefined
}

const compile = (schema: DataSchema): DataSchema => {
  const codec: DataSchema = Schema.toCodecJson(schema)
  // Where `new Function` is forbidden these keep the interpreter.
  SchemaJITCompiler.enable(codec.ast)
  SchemaJITCompiler.enable(SchemaAST.flip(codec.ast))
  return codec
}

const decoder = (codec: DataSchema): Decoder["decode"] => guarded(SchemaParser.decodeUnknownResult(codec))

const thrown = (version: number): string =>
  `the schema of version ${version} threw on it: a check or transformation must not throw`

/** Undefined where a check or transformation throws: what it throws may quote the payload. */
const guarded =
  (parse: (input: unknown) => Result.Result<unknown, SchemaIssue.Issue>) =>
  (input: unknown): Result.Result<unknown, SchemaIssue.Issue> | undefined => {
    try {
      return parse(input)
    } catch {
      return undefined
    }
  }

const hiddenText = "<hidden>"
const open = SchemaIssue.makeFormatterStandardSchemaV1()
// A text that a check makes while it runs may quote the value: only what the schema says is told.
const closed = SchemaIssue.makeFormatterStandardSchemaV1({
  leafHook: (issue) =>
    issue._tag === "InvalidValue" && issue.annotations?.message !== undefined
      ? "Expected a valid value"
      : SchemaIssue.defaultLeafHook(issue),
  checkHook: ({ filter }) => (typeof filter.annotations?.message === "string" ? filter.annotations.message : undefined)
})

/** `issue` holds no values; `shown` is the same with them, for who may see those that are not sensitive. */
const faults = (
  issue: SchemaIssue.Issue,
  hidden: ReadonlyArray<ReadonlyArray<string>>,
  shown?: SchemaIssue.Issue
): ReadonlyArray<Fault> => {
  const withValues = shown === undefined ? [] : open(shown).issues
  return closed(issue)
    .issues.slice(0, 8)
    .map(({ message, path = [] }, i) => {
      const keys = path.map((part) => (typeof part === "object" ? part.key : part))
      const prefix = sensitivePrefix(hidden, keys)
      const full = withValues[i]?.message ?? message
      return {
        path: bounded(["data", ...(prefix ?? keys)].map(String).join(".")),
        expected: bounded(prefix === undefined ? full : full === message ? message : `${message}, got ${hiddenText}`)
      }
    })
}

/** The texts at a path, long enough to be worth hiding; `*` goes through all of an array or record. */
const valuesAt = (value: unknown, path: ReadonlyArray<string>): ReadonlyArray<string> => {
  const [part, ...rest] = path
  if (typeof value === "string") return value.length >= 3 ? [value] : []
  if (typeof value === "number" || typeof value === "bigint") return String(value).length >= 4 ? [String(value)] : []
  if (typeof value !== "object" || value === null) return []
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? [] : [value.toISOString(), String(value.getTime())]
  if (value instanceof Map || value instanceof Set) return [...value].flatMap((inner) => valuesAt(inner, []))
  if (Option.isOption(value)) return Option.isSome(value) ? valuesAt(value.value, []) : []
  // Below the end of the path everything is sensitive.
  const keep = part === undefined || part === "*"
  return Object.entries(value).flatMap(([key, inner]) => (keep || key === part ? valuesAt(inner, rest) : []))
}

const bounded = (text: string): string => (text.length > 300 ? `${text.slice(0, 300)}…` : text)
