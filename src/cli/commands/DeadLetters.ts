/** `eventbus dead-letters …` */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { createWriteStream, type WriteStream } from "node:fs"
import { finished } from "node:stream/promises"
import type { LetterFilter } from "../../bus/deadletter/LetterFilter.ts"
import type * as Reports from "../../operations/Reports.ts"
import { printable, printableLines } from "../../event/FieldValue.ts"
import * as Lifetime from "../../event/options/Lifetime.ts"
import { ExitCode } from "../ExitCode.ts"
import * as Progress from "../Progress.ts"
import { type Common, run as withSession, type Session } from "../Session.ts"
import { json, type Paint, table } from "../Text.ts"
import { FileFailed, UsageError } from "../UsageError.ts"

/** The options that select letters. */
export interface Selection {
  readonly id: ReadonlyArray<string>
  readonly event: Option.Option<string>
  readonly reason: Option.Option<LetterFilter["reason"] & string>
  readonly errorTag: Option.Option<string>
  readonly eventKey: Option.Option<string>
  readonly olderThan: Option.Option<string>
  readonly newerThan: Option.Option<string>
  readonly limit: Option.Option<number>
}

const filterOf = (selection: Selection): LetterFilter => {
  const { errorTag, event, eventKey, id, limit, newerThan, olderThan, reason } = selection
  return {
    ...(id.length > 0 && { ids: id }),
    ...(Option.isSome(event) && { event: event.value }),
    ...(Option.isSome(reason) && { reason: reason.value }),
    ...(Option.isSome(errorTag) && { errorTag: errorTag.value }),
    ...(Option.isSome(eventKey) && { key: eventKey.value }),
    // Their form is checked where they are used, with an error that names them.
    ...(Option.isSome(olderThan) && { olderThan: olderThan.value as `${number} hours` }),
    ...(Option.isSome(newerThan) && { newerThan: newerThan.value as `${number} hours` }),
    ...(Option.isSome(limit) && { limit: limit.value })
  }
}

const bodiesOf = ({ known }: Session, shown: boolean) => ({ shown, contracts: known.contracts })

export const sources = (common: Common) =>
  withSession(common, ({ known, operations, output }) =>
    Effect.gen(function* () {
      const report = yield* operations.sources(known.subscribers)
      yield* output.report(report, () => [
        ...table(
          report.sources.map(({ letters, problem, source }) => [
            String(letters ?? "-"),
            printable(source),
            ...(problem === null ? [] : [printable(problem)])
          ])
        ),
        ...(report.complete
          ? []
          : [
              "only subscribers that were named: RabbitMQ lists its queues with EVENTBUS_MANAGEMENT_URL=http://user:password@host:15672"
            ])
      ])
    })
  )

export const list = (
  common: Common,
  source: string,
  { after, ...selection }: Selection & { readonly after: Option.Option<string> }
) =>
  withSession(common, ({ operations, output }) =>
    Effect.gen(function* () {
      const report = yield* operations.list(source, {
        ...filterOf(selection),
        ...(Option.isSome(after) && { after: after.value })
      })
      yield* output.report(report, () => [
        ...table(report.letters.map(rowOf)),
        ...(report.next === null ? [] : [`more: --after ${printable(report.next)}`]),
        ...(report.letters.length === 0 ? ["no dead letters"] : [])
      ])
    })
  )

export const rowOf = (letter: typeof Reports.Letter.Type): ReadonlyArray<string> =>
  [
    letter.id,
    letter.event,
    letter.reason,
    letter.lastFailure ?? "-",
    String(letter.attempts),
    `${letter.errorTag}: ${letter.message}`
  ].map(printable)

export const show = (common: Common, source: string, id: string, body: boolean) =>
  withSession(common, (session) =>
    Effect.gen(function* () {
      const { operations, output } = session
      const letter = yield* operations.show(source, id, bodiesOf(session, body))
      yield* output.report(letter, () => linesOf(letter, output.paint))
    })
  )

const linesOf = (letter: typeof Reports.LetterDetail.Type, paint: Paint): ReadonlyArray<string> => {
  const rows: ReadonlyArray<readonly [string, string | null]> = [
    ["id", letter.id],
    ["event", letter.event],
    ["key", letter.key],
    ["reason", letter.reason],
    ["error", `${letter.errorTag}: ${letter.message}`],
    ["attempts", String(letter.attempts)],
    ["published", letter.publishedAt],
    ["first failure", letter.firstFailure],
    ["last failure", letter.lastFailure],
    ["replays", String(letter.replays)],
    ["signed", letter.signed === null ? null : String(letter.signed)],
    ["host", letter.host],
    ["library", letter.library],
    ["trace", letter.traceparent],
    ...letter.edits.map(({ at, paths }) => ["edited", `${at}: ${paths.join(", ")}`] as const),
    ["bytes", String(letter.bytes)]
  ]
  const known = rows.flatMap(([name, value]) => (value === null || value === "" ? [] : [[name, printable(value)]]))
  const { body } = letter
  return [
    ...table(known),
    ...letter.failures.map(({ at, attempt, message, tag }) =>
      printable(`attempt ${attempt} at ${at}: ${tag}: ${message}`)
    ),
    ...(letter.stack === null ? [] : [paint.dim(printableLines(letter.stack))]),
    ...(body === null
      ? []
      : [
          body.encoding === "json" ? printableLines(JSON.stringify(body.value, null, 2)) : printable(String(body.value))
        ])
  ]
}

export interface Doing {
  readonly yes: boolean
}

export interface ReplayFlags extends Selection, Doing {
  readonly rate: Option.Option<number>
  readonly maxReplays: Option.Option<number>
  readonly unsigned: boolean
  readonly expiresAfter: Option.Option<string>
}

export const replay = (common: Common, source: string, flags: ReplayFlags) =>
  withSession(common, ({ operations, outcome, output }) =>
    Effect.gen(function* () {
      const { expiresAfter, maxReplays, rate, unsigned, yes } = flags
      const request = {
        ...filterOf(flags),
        apply: yes,
        unsigned,
        ...(Option.isSome(rate) && { rate: rate.value }),
        ...(Option.isSome(maxReplays) && { maxReplays: maxReplays.value }),
        ...Lifetime.ofText(Option.getOrUndefined(expiresAfter))
      }
      const report = yield* Progress.during(!output.isJson, "replayed", (progress) =>
        operations.replay(source, { ...request, ...(progress !== undefined && { progress }) })
      )
      if (yes && report.refused > 0) outcome.code = ExitCode.found
      yield* output.report(report, () => [
        yes ? `${report.replayed} replayed` : `${report.replayed} would be replayed`,
        ...countsOf(report),
        ...(report.guarded > 0 ? [`${report.guarded} stay, because they were replayed too often: --max-replays`] : []),
        ...(report.refused > 0 ? [`${report.refused} cannot be sent:`, ...report.refusals.map(printable)] : []),
        ...hintOf(yes, report.replayed)
      ])
    })
  )

export const discard = (common: Common, source: string, flags: Selection & Doing & { readonly all: boolean }) =>
  withSession(common, ({ operations, output }) =>
    Effect.gen(function* () {
      const { all, yes } = flags
      const request = { ...filterOf(flags), apply: yes, ...(all && { all: true as const }) }
      const report = yield* Progress.during(!output.isJson, "discarded", (progress) =>
        operations.discard(source, { ...request, ...(progress !== undefined && { progress }) })
      )
      yield* output.report(report, () => [
        yes ? `${report.discarded} discarded` : `${report.discarded} would be discarded, for good`,
        ...countsOf(report),
        ...hintOf(yes, report.discarded)
      ])
    })
  )

const hintOf = (yes: boolean, count: number): ReadonlyArray<string> =>
  yes || count === 0 ? [] : ["nothing was changed: the same with --yes does it"]

const countsOf = (report: typeof Reports.Replay.Type | typeof Reports.Discard.Type): ReadonlyArray<string> => [
  ...Object.entries({ event: report.events, reason: report.reasons, error: report.errorTags }).flatMap(
    ([name, counts]) => Object.entries(counts).map(([value, count]) => printable(`  ${name} ${value}: ${count}`))
  ),
  `${report.skipped} others were passed over, ${report.remaining} are in the queue`
]

/** One letter a line, to a file that only its owner may read, or to standard output. */
export const exportTo = (
  common: Common,
  source: string,
  flags: Selection & { readonly body: boolean; readonly complete: boolean; readonly out: Option.Option<string> }
) =>
  withSession(common, (session) =>
    Effect.gen(function* () {
      const { operations, output } = session
      const path = Option.getOrUndefined(flags.out)
      const bodies = { ...bodiesOf(session, flags.body), complete: flags.complete }
      const stream = path === undefined ? undefined : yield* openFile(path)
      const letters = yield* operations.export(source, filterOf(flags), bodies, (letter) =>
        stream === undefined ? Console.log(json(letter)) : write(stream, `${json(letter)}\n`)
      )
      if (stream === undefined || path === undefined) return
      yield* Effect.tryPromise({
        try: () => {
          stream.end()
          return finished(stream)
        },
        catch: () => new FileFailed({ path })
      })
      const report = { kind: "dead-letters.export", version: 1, source, letters, file: path }
      yield* output.report(report, () => [`${letters} letters written to ${printable(path)}; all of them stay`])
    })
  )

/** An existing file is not overwritten. */
const openFile = (path: string): Effect.Effect<WriteStream, UsageError> =>
  Effect.callback((resume) => {
    const stream = createWriteStream(path, { flags: "wx", mode: 0o600 })
    stream.once("open", () => resume(Effect.succeed(stream)))
    stream.once("error", () =>
      resume(Effect.fail(new UsageError({ problem: `--out: the file ${path} exists, or cannot be written` })))
    )
  })

const write = (stream: WriteStream, text: string): Effect.Effect<void, FileFailed> =>
  Effect.callback((resume) => {
    stream.write(text, (error) =>
      resume(error == null ? Effect.void : Effect.fail(new FileFailed({ path: String(stream.path) })))
    )
  })
