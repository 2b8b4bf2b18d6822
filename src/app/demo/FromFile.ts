/**
 * Events from outside, one JSON object a line (NDJSON, see Line.ts), published one after the other in
 * the order of the file, which is read as it is published. A bad line is told; the others are published
 * all the same.
 */
import * as NodeStream from "@effect/platform-node/NodeStream"
import { Data, Duration, Effect, Option, Stream } from "effect"
import { createReadStream } from "node:fs"
import type { PublishOptions } from "../../bus/PublishOptions.ts"
import type * as Event from "../../event/Event.ts"
import type { Ledger } from "./Ledger.ts"
import { BadLine, longest, parse, type Parsed } from "./Line.ts"
import * as LineReader from "./LineReader.ts"
import { enter } from "./Stage.ts"

/** The file as a whole cannot be read. */
export class FileUnreadable extends Data.TaggedError("FileUnreadable")<{
  readonly file: string
  readonly problem: string
}> {
  override get message(): string {
    return `"${this.file}" cannot be read: ${this.problem}`
  }
}

/** An event that is due later than this is published, and not waited for. */
export const longestDelayMillis = 30_000

const publish = Effect.fnUntraced(function* (ledger: Ledger, { data, event, line }: Parsed, number: number) {
  // The bus checks the duration: a text that is none is Invalid with the field `delay`.
  const delay = line.delay as PublishOptions["delay"]
  const due = delay === undefined ? Option.none() : Duration.fromInput(delay)
  yield* enter(ledger, event as Event.Event<string, unknown>, data, {
    ...(line.id !== undefined && { id: line.id }),
    ...(line.key !== undefined && { key: line.key }),
    ...(line.correlationId !== undefined && { correlationId: line.correlationId }),
    ...(delay !== undefined && { delay }),
    actor: line.actor,
    isLate: Option.isSome(due) && Duration.toMillis(due.value) > longestDelayMillis
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
  EACCES: "this user may not"
}

const problemOf = (error: unknown): string => {
  const code = typeof error === "object" && error !== null && "code" in error ? String(error.code) : "it failed"
  return problems[code] ?? code
}

const read = (file: string) =>
  Stream.suspend(() => {
    const reader = LineReader.make(longest)
    return NodeStream.fromReadable<Uint8Array, FileUnreadable>({
      evaluate: () => (file === "-" ? process.stdin : createReadStream(file)),
      onError: (error) => new FileUnreadable({ file: file === "-" ? "stdin" : file, problem: problemOf(error) }),
      // A few chunks of 64 KiB at a time: what is read ahead waits for what is published.
      chunkSize: 4
    }).pipe(
      Stream.map(reader.push),
      Stream.concat(Stream.suspend(() => Stream.succeed(reader.end()))),
      Stream.flattenIterable
    )
  })

/** Publishes a file (`-` is stdin), at most `count` events of it; answers how many lines were refused. */
export const run = Effect.fnUntraced(function* (
  ledger: Ledger,
  options: {
    readonly file: string
    readonly count: number | undefined
    readonly onBad: (error: BadLine) => Effect.Effect<void>
  }
) {
  const { count = Number.POSITIVE_INFINITY, file, onBad } = options
  let published = 0
  let refused = 0
  yield* Stream.runForEachWhile(read(file), (raw) =>
    parse(raw).pipe(
      Effect.flatMap((parsed) =>
        parsed === undefined ? Effect.succeed(0) : Effect.as(publish(ledger, parsed, raw.number), 1)
      ),
      Effect.catchTag("BadLine", (error) => {
        refused++
        return Effect.as(onBad(error), 0)
      }),
      Effect.map((one) => (published += one) < count)
    )
  )
  return refused
})
