/**
 * Publishes events from a file, one JSON object a line (NDJSON, see EventLine.ts), in the order of the file, which is
 * read while it is published. A bad line is reported, and the others are published all the same.
 */
import * as NodeStream from "@effect/platform-node/NodeStream"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Stream from "effect/Stream"
import { createReadStream } from "node:fs"
import type { PublishOptions } from "../../bus/publish/PublishOptions.ts"
import type * as Event from "../../event/Event.ts"
import { BadLine, maxLineBytes, parse, type ParsedLine } from "./EventLine.ts"
import type { Ledger } from "./Ledger.ts"
import * as LineReader from "./LineReader.ts"
import { publishRecorded } from "./ServiceTools.ts"

/** The file as a whole cannot be read. */
export class FileUnreadable extends Data.TaggedError("FileUnreadable")<{
  readonly file: string
  readonly problem: string
}> {
  override get message(): string {
    return `"${this.file}" cannot be read: ${this.problem}`
  }
}

/** An event that is due later than this is published, but not waited for. */
const maxAwaitedDelay = Duration.seconds(30)

const publish = Effect.fnUntraced(function* (ledger: Ledger, { data, event, line }: ParsedLine, number: number) {
  // The bus validates the duration: what is none is refused as Invalid with the path `delay`.
  const delay = line.delay as PublishOptions["delay"]
  const due = delay === undefined ? Option.none() : Duration.fromInput(delay)
  yield* publishRecorded(ledger, event as Event.Event<string, unknown>, data, {
    ...(line.id !== undefined && { id: line.id }),
    ...(line.key !== undefined && { key: line.key }),
    ...(line.correlationId !== undefined && { correlationId: line.correlationId }),
    ...(delay !== undefined && { delay }),
    actor: line.actor,
    isDueAfterRun: Option.isSome(due) && Duration.isGreaterThan(due.value, maxAwaitedDelay)
  }).pipe(
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

const problems: Readonly<Record<string, string>> = {
  ENOENT: "it does not exist",
  EISDIR: "it is a folder",
  EACCES: "this user lacks the permission"
}

const problemOf = (error: unknown): string => {
  const code = Predicate.hasProperty(error, "code") ? String(error.code) : "reading failed"
  return problems[code] ?? code
}

const read = (file: string) =>
  Stream.suspend(() => {
    const reader = LineReader.make(maxLineBytes)
    return NodeStream.fromReadable<Uint8Array, FileUnreadable>({
      evaluate: () => (file === "-" ? process.stdin : createReadStream(file)),
      onError: (error) => new FileUnreadable({ file: file === "-" ? "stdin" : file, problem: problemOf(error) }),
      // A few chunks of 64 KiB at a time: the file is not read much faster than it is published.
      chunkSize: 4
    }).pipe(
      Stream.map(reader.push),
      Stream.concat(Stream.suspend(() => Stream.succeed(reader.end()))),
      Stream.flattenIterable
    )
  })

/** Publishes a file (`-` is stdin), at most `count` of its events. Returns the number of lines that were refused. */
export const run = Effect.fnUntraced(function* (
  ledger: Ledger,
  options: {
    readonly file: string
    readonly count: number | undefined
    readonly onBadLine: (error: BadLine) => Effect.Effect<void>
  }
) {
  const { count = Number.POSITIVE_INFINITY, file, onBadLine } = options
  let published = 0
  let refused = 0
  yield* Stream.runForEachWhile(read(file), (raw) =>
    parse(raw).pipe(
      Effect.flatMap((parsed) =>
        parsed === undefined ? Effect.succeed(0) : Effect.as(publish(ledger, parsed, raw.number), 1)
      ),
      Effect.catchTag("BadLine", (error) => {
        refused++
        return Effect.as(onBadLine(error), 0)
      }),
      Effect.map((added) => (published += added) < count)
    )
  )
  return refused
})
