/**
 * Events from outside, one JSON object a line (NDJSON):
 * `{"type": "academic.grade.posted", "data": {…}, "id"?, "key"?, "correlationId"?, "delay"?, "actor"?}`.
 * A bad line is told with its number, the field and the reason; the others are published all the same.
 */
import { Effect, Schema, Stream } from "effect"
import { createReadStream } from "node:fs"
import { createInterface } from "node:readline"
import { EventBus } from "../../bus/EventBus.ts"
import type { PublishOptions } from "../../bus/PublishOptions.ts"
import { catalog } from "../../catalog/index.ts"
import { CurrentActor } from "../../event/Actor.ts"
import type * as Event from "../../event/Event.ts"
import type { Ledger } from "./Ledger.ts"

/** What is wrong with one line. */
export class BadLine extends Schema.TaggedError<BadLine>()("BadLine", {
  line: Schema.Int,
  field: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    const where = this.line === 0 ? "" : `line ${this.line}: `
    return `${where}${this.field === "" ? "" : `${this.field}: `}${this.reason}`
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

const longestLine = 2 * 1024 * 1024

interface Parsed {
  readonly event: Event.Any
  readonly data: unknown
  readonly line: Line
}

/** One line as an event of the catalog with data of its newest version. */
export const parse = Effect.fnUntraced(function* (text: string, number: number) {
  const bad = (field: string, reason: string) => new BadLine({ line: number, field, reason })
  if (text.length > longestLine)
    return yield* bad("", `it has ${text.length} characters, at most ${longestLine} are read`)
  const json = yield* Effect.try({ try: (): unknown => JSON.parse(text), catch: () => bad("", "it is not JSON") })
  const line = yield* decodeLine(json).pipe(
    Effect.mapError(({ message }) => bad("", message.replace(/\s*\n\s*/g, " ")))
  )
  const event = catalog.events.find(({ name }) => name === line.type)
  if (event === undefined) return yield* bad("type", `unknown event "${line.type}", it is none of the catalog`)
  const decoded = event.contract.decode(event.version, line.data)
  if (decoded._tag === "Failure") {
    const [fault] = decoded.failure._tag === "InvalidEvent" ? decoded.failure.faults : []
    return yield* bad(fault?.path ?? "data", fault?.expected ?? decoded.failure.message)
  }
  return { event, data: decoded.success, line } satisfies Parsed
})

const publish = Effect.fnUntraced(function* ({ data, event, line }: Parsed, number: number) {
  const bus = yield* EventBus
  // The bus checks the duration: a text that is none is Invalid with the field `delay`.
  const delay = line.delay as PublishOptions["delay"]
  const options: PublishOptions = {
    ...(line.id !== undefined && { id: line.id }),
    ...(line.key !== undefined && { key: line.key }),
    ...(line.correlationId !== undefined && { correlationId: line.correlationId }),
    ...(delay !== undefined && { delay })
  }
  yield* bus.publish(event as Event.Event<string, unknown>, data, options).pipe(
    Effect.provideService(CurrentActor, line.actor),
    Effect.mapError(({ reason }) => {
      const [fault] = reason._tag === "Invalid" ? reason.faults : []
      return new BadLine({
        line: number,
        field: fault?.path ?? (reason._tag === "Denied" ? "actor" : ""),
        reason: fault?.expected ?? reason.message
      })
    })
  )
})

const open = (file: string) =>
  createInterface({ input: file === "-" ? process.stdin : createReadStream(file), crlfDelay: Infinity })

/** Publishes a file (`-` is stdin) line by line; answers how many lines were refused. */
export const run = Effect.fnUntraced(function* (
  file: string,
  ledger: Ledger,
  onBad: (error: BadLine) => Effect.Effect<void>
) {
  let number = 0
  let refused = 0
  yield* Stream.fromAsyncIterable(
    open(file),
    () => new BadLine({ line: 0, field: "", reason: `"${file}" cannot be read` })
  ).pipe(
    Stream.runForEach((text) => {
      const at = ++number
      if (text.trim() === "") return Effect.void
      return parse(text, at).pipe(
        Effect.flatMap((parsed) => Effect.as(publish(parsed, at), parsed.event.name)),
        Effect.matchEffect({
          onSuccess: (name) => Effect.sync(() => ledger.publish(name)),
          onFailure: (error) => {
            refused++
            return onBad(error)
          }
        })
      )
    })
  )
  return refused
})
