/**
 * Encodes and decodes the data of one event: its schemas are compiled to functions when they are first needed.
 * Every function is synchronous and total: a fault is a value and never thrown.
 */
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import type * as SchemaAST from "effect/SchemaAST"
import type * as SchemaIssue from "effect/SchemaIssue"
import { DuplicateEffect } from "./DuplicateEffect.ts"
import { type Fault, InvalidEvent, UnknownVersion } from "./EventError.ts"
import * as Json from "./Json.ts"
import * as Limits from "./Limits.ts"
import * as MediaData from "./MediaData.ts"
import * as SchemaModule from "./SchemaModule.ts"
import { redactedText, Secrets } from "./sensitive/Secrets.ts"
import * as Sensitive from "./sensitive/Sensitive.ts"
import type * as Later from "./standard/Later.ts"
import type { AnySchema, DataSchema } from "./standard/StandardSchema.ts"

/** An older version: its schema, and how its data becomes data of the next version. */
export interface PreviousVersion<S extends AnySchema = AnySchema> {
  readonly version: number
  readonly data: S
  readonly up: (data: unknown) => unknown
}

export interface DataCodec {
  /** Compiles the schemas now. Throws `DuplicateEffect` if another copy of effect made them. */
  readonly prepare: () => void
  /** Whether the schema sets no bound on nesting or size: it is recursive, or accepts any shape. */
  readonly isOpen: boolean
  /** The JSON of valid data, or its faults. They show values that are not sensitive, because the publisher reads them. */
  readonly encode: (data: unknown) => Result.Result<unknown, InvalidEvent>
  /** Data of the newest version from the JSON, or the bytes, of any known version. Faults never show values. */
  readonly decode: (version: number, json: unknown) => Result.Result<unknown, InvalidEvent | UnknownVersion>
  /**
   * Of a Standard Schema: what `encode` sends, with what handlers get. The outcome may be a `Later`, as that of `decode`.
   * Undefined for a schema of Effect, whose data is what handlers get.
   */
  readonly validate: ((data: unknown) => Later.Outcome<Later.Validated>) | undefined
  /** Whether `decode` may give a `Later`. */
  readonly mayBeLater: boolean
  /** The data that a publish takes, from the JSON of any known version. */
  readonly toInput: (version: number, json: unknown) => Later.Outcome<unknown>
  readonly sensitive: Sensitive.SensitiveSchema
  /** Adds the values of sensitive fields in this data. */
  readonly collectSecrets: (into: Secrets, data: unknown) => void
  /** `text` with the values of sensitive fields in this data hidden. */
  readonly redact: (text: string, data: unknown) => string
}

export const make = (
  name: string,
  version: number,
  data: DataSchema,
  previous: ReadonlyArray<PreviousVersion<DataSchema>>
): DataCodec => {
  const hidden = Sensitive.ofSchema(data.ast)
  let compiled: Compiled | undefined
  const compile = (): Compiled => (compiled ??= new Compiled(name, version, data, previous, hidden.paths))
  const decode: DataCodec["decode"] = (from, json) => (compiled ?? compile()).decode(from, json)
  return {
    prepare: compile,
    isOpen: contains(data.ast, open),
    encode: (input) => (compiled ?? compile()).encode(input),
    decode,
    validate: undefined,
    mayBeLater: false,
    toInput: decode,
    ...hiding(hidden)
  }
}

/** How a codec hides what is sensitive. */
export const hiding = (
  sensitive: Sensitive.SensitiveSchema
): Pick<DataCodec, "sensitive" | "collectSecrets" | "redact"> => ({
  sensitive,
  collectSecrets: (into, data) => Sensitive.collect(into, sensitive, data),
  redact: (text, data) => {
    const secrets = new Secrets()
    Sensitive.collect(secrets, sensitive, data)
    return secrets.hide(text)
  }
})

/** The compiled schemas of an event. */
class Compiled {
  private readonly encodeData: Parser
  /** Encoders that find every fault, without and with the values. */
  private readonly explain: SchemaParser
  private readonly explainWithValues: SchemaParser
  private readonly decoders: ReadonlyMap<number, Decoder>
  /** Whether it may hold what JSON does not keep: the schema Any refuses nothing. */
  private readonly holdsAny: boolean
  private readonly isNewest: (value: unknown) => boolean
  private readonly name: string
  private readonly version: number
  private readonly hidden: ReadonlyArray<ReadonlyArray<string>>

  constructor(
    name: string,
    version: number,
    data: DataSchema,
    previous: ReadonlyArray<PreviousVersion<DataSchema>>,
    hidden: ReadonlyArray<ReadonlyArray<string>>
  ) {
    const { SchemaParser } = SchemaModule.modules()
    const codec = jsonCodec(name, data)
    this.name = name
    this.version = version
    this.hidden = hidden
    this.holdsAny = contains(data.ast, holdsAny)
    this.encodeData = guarded(SchemaParser.encodeUnknownResult(codec))
    this.explain = SchemaParser.encodeUnknownResult(codec, { errors: "all" })
    this.explainWithValues = SchemaParser.encodeUnknownResult(codec, { errors: "all", reportInput: true })
    const decoder = (schema: DataSchema): Parser => guarded(SchemaParser.decodeUnknownResult(schema))
    this.decoders = new Map<number, Decoder>([
      [version, { decode: decoder(codec), schema: data, up: undefined }],
      ...previous.map((old): [number, Decoder] => [
        old.version,
        { decode: decoder(jsonCodec(name, old.data)), schema: old.data, up: old.up }
      ])
    ])
    this.isNewest = lazily(() => SchemaParser.is(data))
  }

  encode(input: unknown): Result.Result<unknown, InvalidEvent> {
    const { name, hidden, version } = this
    const encoded = this.encodeData(input)
    if (encoded === undefined) return Result.fail(InvalidEvent.of(name, "data", thrown(version)))
    if (Result.isSuccess(encoded)) {
      const at = this.holdsAny ? Json.notJsonAt(encoded.success, Limits.defaults.depth) : undefined
      return at === undefined ? Result.succeed(encoded.success) : Result.fail(this.notJson(at))
    }
    const [silent, detailed] = [this.explain(input), this.explainWithValues(input)]
    const issue = Result.isFailure(silent) ? silent.failure : encoded.failure
    const shown = Result.isFailure(detailed) ? detailed.failure : issue
    return Result.fail(new InvalidEvent({ event: name, faults: faults(issue, hidden, shown) }))
  }

  private notJson(at: ReadonlyArray<string>): InvalidEvent {
    const path = bounded(["data", ...(Sensitive.sensitivePrefix(this.hidden, at) ?? at)].map(String).join("."))
    return InvalidEvent.of(this.name, path, Json.notJsonText)
  }

  decode(from: number, json: unknown): Result.Result<unknown, InvalidEvent | UnknownVersion> {
    const { decoders, hidden, name, version } = this
    if (from > version) return Result.fail(new UnknownVersion({ event: name, version: from, known: version }))
    const start = decoders.get(from)
    if (start === undefined) {
      return Result.fail(
        InvalidEvent.of(name, "dataschema", `version ${from} is unknown, known are ${[...decoders.keys()]}`)
      )
    }
    const decoded = json instanceof Uint8Array ? decodeBytes(start.schema, json) : start.decode(json)
    if (decoded === null) return Result.fail(InvalidEvent.of(name, "data", MediaData.unwantedBytes))
    if (decoded === undefined) return Result.fail(InvalidEvent.of(name, "data", thrown(from)))
    if (Result.isFailure(decoded)) {
      return Result.fail(new InvalidEvent({ event: name, faults: faults(decoded.failure, hidden) }))
    }
    return from === version ? Result.succeed(decoded.success) : this.upcast(from, decoded.success)
  }

  private upcast(from: number, decoded: unknown): Result.Result<unknown, InvalidEvent> {
    const { decoders, name, version } = this
    let value = decoded
    for (let at = from; at < version; at++) {
      try {
        value = decoders.get(at)?.up?.(value)
      } catch {
        // An error from an upcaster may quote the payload, so it is not included.
        return Result.fail(InvalidEvent.of(name, "data", `the upcaster of version ${at} failed`))
      }
    }
    return this.isNewest(value)
      ? Result.succeed(value)
      : Result.fail(
          InvalidEvent.of(name, "data", `upcasting version ${from} gave data that version ${version} does not accept`)
        )
  }
}

/** Upcasting is rare, so its check is compiled when it is first needed. */
const lazily = (make: () => (value: unknown) => boolean): ((value: unknown) => boolean) => {
  let made: ((value: unknown) => boolean) | undefined
  return (value) => {
    made ??= make()
    return made(value)
  }
}

type Tags = ReadonlySet<SchemaAST.AST["_tag"]>
const open: Tags = new Set(["Suspend", "Unknown", "Any", "ObjectKeyword"])
/** What a Suspend stands for is not looked at, since it may be the schema itself. */
const holdsAny: Tags = new Set(["Suspend", "Any"])

/** Whether a schema has a part of one of these kinds. Each set has Suspend, so a recursion ends. */
const contains = (ast: SchemaAST.AST, tags: Tags): boolean =>
  tags.has(ast._tag) || Sensitive.childrenOf(ast).some((child) => contains(child, tags))

type SchemaParser = (input: unknown) => Result.Result<unknown, SchemaIssue.Issue>
/** Returns undefined if the schema throws. */
type Parser = (input: unknown) => Result.Result<unknown, SchemaIssue.Issue> | undefined

interface Decoder {
  /** Decodes JSON. */
  readonly decode: Parser
  readonly schema: DataSchema
  readonly up: ((data: unknown) => unknown) | undefined
}

/** Null if it is not a schema of bytes. Only foreign publishers send bytes, so nothing is compiled. */
const decodeBytes = (schema: DataSchema, bytes: Uint8Array): ReturnType<Parser> | null => {
  const ofBytes = MediaData.schemaOfBytes(schema)
  return ofBytes === undefined ? null : guarded(SchemaModule.modules().SchemaParser.decodeUnknownResult(ofBytes))(bytes)
}

const jsonCodec = (event: string, schema: DataSchema): DataSchema => {
  const { Schema, SchemaAST, SchemaJITCompiler } = SchemaModule.modules()
  if (baseOf(schema.ast) !== baseOf(Schema.String.ast)) throw new DuplicateEffect(`the schema of event "${event}"`)
  const codec: DataSchema = Schema.toCodecJson(schema)
  // Where `new Function` is forbidden, both keep the interpreter.
  SchemaJITCompiler.enable(codec.ast)
  SchemaJITCompiler.enable(SchemaAST.flip(codec.ast))
  return codec
}

/** The prototype that all values of a copy's class hierarchy share. */
const baseOf = (value: object): object => {
  const next: unknown = Object.getPrototypeOf(value)
  return typeof next === "object" && next !== null && next !== Object.prototype ? baseOf(next) : value
}

export const thrown = (version: number): string =>
  `the schema of version ${version} threw an error: a check or transformation must not throw`

/** Returns undefined if a check or transformation throws. The error is dropped because it may quote the payload. */
const guarded =
  (parse: SchemaParser): Parser =>
  (input) => {
    try {
      return parse(input)
    } catch {
      return undefined
    }
  }

interface Formatters {
  readonly withValues: ReturnType<typeof SchemaIssue.makeFormatterStandardSchemaV1>
  readonly withoutValues: ReturnType<typeof SchemaIssue.makeFormatterStandardSchemaV1>
}

let made: Formatters | undefined
const formatters = (): Formatters => {
  const { SchemaIssue } = SchemaModule.modules()
  made ??= {
    withValues: SchemaIssue.makeFormatterStandardSchemaV1(),
    // A message that a check composes at run time may quote the value, so only static messages are used.
    withoutValues: SchemaIssue.makeFormatterStandardSchemaV1({
      leafHook: (issue) =>
        issue._tag === "InvalidValue" && issue.annotations?.message !== undefined
          ? "Expected a valid value"
          : SchemaIssue.defaultLeafHook(issue),
      checkHook: ({ filter }) =>
        Predicate.isString(filter.annotations?.message) ? filter.annotations.message : undefined
    })
  }
  return made
}

/** `issue` holds no values; `shown` is the same issue with values, for a reader who may see those that are not sensitive. */
const faults = (
  issue: SchemaIssue.Issue,
  hidden: ReadonlyArray<ReadonlyArray<string>>,
  shown?: SchemaIssue.Issue
): ReadonlyArray<Fault> => {
  const format = formatters()
  const withValues = shown === undefined ? [] : format.withValues(shown).issues
  return format
    .withoutValues(issue)
    .issues.slice(0, 8)
    .map(({ message, path = [] }, i) => {
      const keys = path.map((part) => (typeof part === "object" ? part.key : part))
      const prefix = Sensitive.sensitivePrefix(hidden, keys)
      const full = withValues[i]?.message ?? message
      return {
        path: bounded(["data", ...(prefix ?? keys)].map(String).join(".")),
        expected: bounded(prefix === undefined ? full : full === message ? message : `${message}, got ${redactedText}`)
      }
    })
}

const bounded = (text: string): string => (text.length > 300 ? `${text.slice(0, 300)}…` : text)
