/**
 * One line of NDJSON as an event of the catalog:
 * `{"type": "academic.grade.posted", "data": {…}, "id"?, "key"?, "correlationId"?, "delay"?, "actor"?}`.
 * A bad one is told with its number, the field and the reason.
 */
import { Effect, Schema, SchemaIssue } from "effect"
import { isUtf8 } from "node:buffer"
import { catalog } from "../../catalog/index.ts"
import type * as Event from "../../event/Event.ts"
import type { RawLine } from "./LineReader.ts"

/** What is wrong with one line. */
export class BadLine extends Schema.TaggedError<BadLine>()("BadLine", {
  line: Schema.Int,
  /** Empty when it is the line as a whole. */
  field: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `line ${this.line}: ${this.field === "" ? "" : `${this.field}: `}${this.reason}`
  }
}

const Line = Schema.Struct({
  type: Schema.String,
  data: Schema.Unknown,
  id: Schema.optionalKey(Schema.String),
  key: Schema.optionalKey(Schema.String),
  correlationId: Schema.optionalKey(Schema.String),
  delay: Schema.optionalKey(Schema.Union([Schema.String, Schema.Finite])),
  actor: Schema.optionalKey(
    Schema.Struct({ id: Schema.String, role: Schema.String, status: Schema.optionalKey(Schema.String) })
  )
})
type Line = typeof Line.Type
const decodeLine = Schema.decodeUnknownEffect(Line, { onExcessProperty: "error" })
const issuesOf = SchemaIssue.makeFormatterStandardSchemaV1()

/** Twice what an event may have: escapes and white space take more room here than on the broker. */
export const longest = 2 * 1024 * 1024

export interface Parsed {
  readonly event: Event.Any
  readonly data: unknown
  readonly line: Line
}

/** Undefined for an empty line. */
export const parse = Effect.fnUntraced(function* ({ bytes, length, number }: RawLine) {
  const bad = (field: string, reason: string) => new BadLine({ line: number, field, reason })
  if (bytes === undefined) return yield* bad("", `it has ${length} bytes, at most ${longest} are read`)
  if (!isUtf8(bytes)) return yield* bad("", "it is not UTF-8")
  const text = withoutMark(bytes.toString("utf8"), number)
  if (text.trim() === "") return undefined
  const json = yield* Effect.try({ try: (): unknown => JSON.parse(text), catch: (error) => bad("", notJson(error)) })
  const line = yield* decodeLine(json).pipe(
    Effect.mapError(({ issue }) => {
      const [first] = issuesOf(issue).issues
      const path = (first?.path ?? []).map((part) => String(typeof part === "object" ? part.key : part))
      return bad(path.join("."), first?.message ?? "it is not what a line has to be")
    })
  )
  const event = catalog.events.find(({ name }) => name === line.type)
  if (event === undefined) return yield* bad("type", `unknown event "${shown(line.type)}", it is none of the catalog`)
  const decoded = event.contract.decode(event.version, line.data)
  if (decoded._tag === "Failure") {
    const [fault] = decoded.failure._tag === "InvalidEvent" ? decoded.failure.faults : []
    return yield* bad(fault?.path ?? "data", fault?.expected ?? decoded.failure.message)
  }
  return { event, data: decoded.success, line } satisfies Parsed
})

/** Some editors begin a file with a byte order mark. */
const withoutMark = (text: string, number: number): string =>
  number === 1 && text.startsWith("\ufeff") ? text.slice(1) : text

/** Node's message quotes the line; where it stops being JSON is enough. */
const notJson = (error: unknown): string => {
  const position = error instanceof Error ? /at position (\d+)/.exec(error.message)?.[1] : undefined
  return position === undefined ? "it is not JSON" : `it is not JSON from character ${Number(position) + 1} on`
}

const shown = (name: string): string => (name.length > 100 ? `${name.slice(0, 100)}…` : name)
