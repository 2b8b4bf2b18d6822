/**
 * One line of NDJSON as an event of the catalog:
 * `{"type": "academic.grade.posted", "data": {…}, "id"?, "key"?, "correlationId"?, "delay"?, "actor"?}`.
 * A bad line is reported with its number, the field and the reason.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import { isUtf8 } from "node:buffer"
import { catalog } from "../../catalog/index.ts"
import type * as Event from "../../event/Event.ts"
import { printable } from "../../event/FieldValue.ts"
import type { RawLine } from "./LineReader.ts"

/** What is wrong with one line. */
export class BadLine extends Schema.TaggedError<BadLine>()("BadLine", {
  line: Schema.Int,
  /** Empty if the fault is in the line as a whole. */
  field: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `line ${this.line}: ${this.field === "" ? "" : `${printable(this.field)}: `}${printable(this.reason)}`
  }
}

const EventLine = Schema.Struct({
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
type EventLine = typeof EventLine.Type
const decodeLine = Schema.decodeUnknownEffect(EventLine, { onExcessProperty: "error" })
const issuesOf = SchemaIssue.makeFormatterStandardSchemaV1()

/** Twice the limit of an event: escapes and white space take more room here than on the broker. */
export const maxLineBytes = 2 * 1024 * 1024

export interface ParsedLine {
  readonly event: Event.Any
  readonly data: unknown
  readonly line: EventLine
}

/** The event of a line; undefined for an empty one. */
export const parse = Effect.fnUntraced(function* ({ bytes, length, number }: RawLine) {
  const bad = (field: string, reason: string) => new BadLine({ line: number, field, reason })
  if (bytes === undefined) return yield* bad("", `it has ${length} bytes, the limit is ${maxLineBytes}`)
  if (!isUtf8(bytes)) return yield* bad("", "it is not UTF-8")
  const text = withoutByteOrderMark(bytes.toString("utf8"), number)
  if (text.trim() === "") return undefined
  const json = yield* Effect.try({ try: (): unknown => JSON.parse(text), catch: (error) => bad("", notJson(error)) })
  const line = yield* decodeLine(json).pipe(
    Effect.mapError(({ issue }) => {
      const [first] = issuesOf(issue).issues
      const path = (first?.path ?? []).map((part) => String(typeof part === "object" ? part.key : part))
      return bad(path.join("."), first?.message ?? "it does not have the form of a line")
    })
  )
  const event = catalog.events.find(({ name }) => name === line.type)
  if (event === undefined)
    return yield* bad("type", `unknown event "${shortened(line.type)}", it is not in the catalog`)
  const decoded = event.dataCodec.toInput(event.version, line.data)
  if (decoded._tag === "Failure") {
    const [fault] = decoded.failure._tag === "InvalidEvent" ? decoded.failure.faults : []
    return yield* bad(fault?.path ?? "data", fault?.expected ?? decoded.failure.message)
  }
  return { event, data: decoded.success, line } satisfies ParsedLine
})

/** Some editors start a file with a byte order mark. */
const withoutByteOrderMark = (text: string, number: number): string =>
  number === 1 && text.startsWith("\ufeff") ? text.slice(1) : text

/** Node's message quotes the line, which may hold secrets; the position is enough. */
const notJson = (error: unknown): string => {
  const position = error instanceof Error ? /at position (\d+)/.exec(error.message)?.[1] : undefined
  return position === undefined ? "it is not JSON" : `it is not JSON from character ${Number(position) + 1} on`
}

const shortened = (name: string): string => printable(name.length > 100 ? `${name.slice(0, 100)}…` : name)
