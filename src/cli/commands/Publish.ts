/** `eventbus publish` */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { createReadStream, readFileSync, statSync } from "node:fs"
import type { PublishOptions } from "../../bus/publish/PublishOptions.ts"
import type { Actor } from "../../event/Actor.ts"
import { printable } from "../../event/FieldValue.ts"
import * as Limits from "../../event/Limits.ts"
import * as Lifetime from "../../event/options/Lifetime.ts"
import type { PublishRequest } from "../../operations/publish/PublishOperations.ts"
import type * as PublishReports from "../../operations/PublishReports.ts"
import { ExitCode } from "../ExitCode.ts"
import { type Common, run as withSession } from "../Session.ts"
import { json } from "../Text.ts"
import { UsageError } from "../UsageError.ts"

export interface Flags {
  readonly data: Option.Option<string>
  readonly file: Option.Option<string>
  readonly id: Option.Option<string>
  readonly eventKey: Option.Option<string>
  readonly correlationId: Option.Option<string>
  readonly causationId: Option.Option<string>
  readonly delay: Option.Option<string>
  readonly expiresAfter: Option.Option<string>
  readonly header: ReadonlyArray<string>
  readonly source: string
  readonly actor: Option.Option<string>
  readonly tenant: Option.Option<string>
  readonly dataVersion: Option.Option<number>
  readonly unchecked: Option.Option<number>
  readonly dryRun: boolean
}

export const run = (common: Common, event: string, flags: Flags) =>
  withSession(
    common,
    ({ known, operations, outcome, output }) =>
      Effect.gen(function* () {
        const options = yield* optionsOf(flags)
        const actor = yield* actorOf(flags.actor)
        const input = yield* inputOf(flags)
        const tally = { confirmed: 0, unrouted: 0 }
        const context = yield* Effect.context<never>()
        const write = Effect.runSyncWith(context)
        const report = yield* operations
          .publish({
            event,
            contracts: known.contracts,
            unchecked: Option.getOrUndefined(flags.unchecked),
            dataVersion: Option.getOrUndefined(flags.dataVersion),
            apply: !flags.dryRun,
            from: flags.source,
            actor,
            options,
            input,
            tally,
            // Each at once, and all of them: the report keeps the first hundred.
            onRefused: (refusal) => write(Console.error(refusedLine(refusal, output.isJson)))
          })
          .pipe(
            Effect.onInterrupt(() =>
              output.note(`ended: ${tally.confirmed} events were confirmed; lines in flight may have been, too`)
            )
          )
        if (report.next !== null) outcome.code = ExitCode.failed
        else if (report.refused > 0) outcome.code = ExitCode.found
        yield* output.report(report, () => linesOf(report))
      }),
    { offline: flags.dryRun }
  )

const refusedLine = (refusal: PublishReports.Refusal, isJson: boolean): string =>
  isJson
    ? json({ kind: "publish.refused", version: 1, ...refusal })
    : printable(`line ${refusal.line}: ${refusal.reason}: ${refusal.message}`)

const linesOf = (report: typeof PublishReports.Publish.Type): ReadonlyArray<string> => [
  `${report.confirmed} ${report.dryRun ? "would be published" : "confirmed"}${report.id === null || report.dryRun ? "" : `: ${printable(report.id)}`}`,
  ...(report.unrouted > 0 ? [`${report.unrouted} of them reached nobody: no subscriber is bound`] : []),
  ...(report.refused > 0 ? [`${report.refused} refused: each was named above`] : []),
  ...(report.next === null
    ? []
    : [`from line ${report.next} on nothing was sent: go on there when the broker takes events again`])
]

const optionsOf = (flags: Flags): Effect.Effect<PublishOptions, UsageError> =>
  Effect.map(headersOf(flags.header), (headers) => ({
    ...given("id", flags.id),
    ...given("key", flags.eventKey),
    ...given("correlationId", flags.correlationId),
    ...given("causationId", flags.causationId),
    ...given("tenant", flags.tenant),
    // Its form is checked where it is used, with an error that names it.
    ...(Option.isSome(flags.delay) && { delay: flags.delay.value as `${number} seconds` }),
    ...Lifetime.ofText(Option.getOrUndefined(flags.expiresAfter)),
    ...(headers !== undefined && { headers })
  }))

const given = <Name extends string>(name: Name, value: Option.Option<string>) =>
  (Option.isSome(value) ? { [name]: value.value } : {}) as { readonly [_ in Name]?: string }

const headersOf = (
  given: ReadonlyArray<string>
): Effect.Effect<Readonly<Record<string, string>> | undefined, UsageError> => {
  if (given.length === 0) return Effect.undefined
  const wrong = given.find((one) => one.indexOf("=") < 1)
  return wrong === undefined
    ? Effect.succeed(
        Object.fromEntries(given.map((one) => [one.slice(0, one.indexOf("=")), one.slice(one.indexOf("=") + 1)]))
      )
    : Effect.fail(new UsageError({ problem: "--header: expected name=value" }))
}

const actorOf = (given: Option.Option<string>): Effect.Effect<Actor | undefined, UsageError> => {
  if (Option.isNone(given)) return Effect.undefined
  const [id = "", role = "", status, ...others] = given.value.split(":")
  return id === "" || role === "" || status === "" || others.length > 0
    ? Effect.fail(new UsageError({ problem: "--actor: expected id:role or id:role:status" }))
    : Effect.succeed({ id, role, ...(status !== undefined && { status }) })
}

const inputOf = ({ data, file }: Flags): Effect.Effect<PublishRequest["input"], UsageError> => {
  if (Option.isSome(data) && Option.isSome(file))
    return Effect.fail(new UsageError({ problem: "--data and --file: give one of them" }))
  if (Option.isSome(data)) return Effect.succeed({ _tag: "One", json: Buffer.from(data.value) })
  if (Option.isSome(file)) return fileInput(file.value)
  return process.stdin.isTTY
    ? Effect.fail(
        new UsageError({
          problem: "there is no data: give --data or --file, or one JSON value a line on standard input"
        })
      )
    : Effect.succeed({ _tag: "Lines", bytes: process.stdin })
}

/** A file that is one JSON value as a whole is one event, however many lines it has. */
const fileInput = (path: string): Effect.Effect<PublishRequest["input"], UsageError> =>
  Effect.try({
    try: () => {
      if (statSync(path).size <= Limits.defaults.bodyBytes) {
        const json = readFileSync(path)
        if (isJson(json)) return { _tag: "One", json } as const
      }
      return { _tag: "Lines", bytes: createReadStream(path) } as const
    },
    catch: () => new UsageError({ problem: `--file: the file ${path} cannot be read` })
  })

const isJson = (text: Buffer): boolean => {
  try {
    JSON.parse(text.toString("utf8"))
    return true
  } catch {
    return false
  }
}
