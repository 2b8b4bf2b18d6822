/** `eventbus dead-letters import`, `edit` and `watch`. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { createReadStream, statSync } from "node:fs"
import { printable } from "../../event/FieldValue.ts"
import * as Lifetime from "../../event/options/Lifetime.ts"
import type { WatchItem } from "../../operations/letters/LetterOperations.ts"
import { ExitCode } from "../ExitCode.ts"
import * as Progress from "../Progress.ts"
import { type Common, run as withSession } from "../Session.ts"
import type { Paint } from "../Text.ts"
import { UsageError } from "../UsageError.ts"
import { rowOf } from "./DeadLetters.ts"
import { follow } from "./Live.ts"

const nothingChanged = "nothing was changed: the same with --yes does it"

export const importFile = (common: Common, file: string, yes: boolean) =>
  withSession(common, ({ operations, outcome, output }) =>
    Effect.gen(function* () {
      const bytes = yield* open(file)
      const report = yield* Progress.during(!output.isJson, "imported", (progress) =>
        operations.importLetters({ bytes, apply: yes, progress })
      )
      if (report.next !== null) outcome.code = ExitCode.failed
      else if (report.refused > 0) outcome.code = ExitCode.found
      yield* output.report(report, () => [
        `${report.imported} ${yes ? "imported" : "would be imported"}`,
        ...(report.present > 0 ? [`${report.present} are in their queue already`] : []),
        ...(report.refused > 0 ? [`${report.refused} refused:`] : []),
        ...report.refusals.map(({ line, message }) => printable(`  line ${line}: ${message}`)),
        ...(report.next === null
          ? []
          : [`the broker took no more from line ${report.next} on: run the same again to go on`]),
        ...(yes || report.imported === 0 ? [] : [nothingChanged])
      ])
    })
  )

const open = (path: string) =>
  Effect.try({
    try: () => {
      statSync(path)
      return createReadStream(path)
    },
    catch: () => new UsageError({ problem: `the file ${path} cannot be read` })
  })

export interface EditFlags {
  readonly data: Option.Option<string>
  readonly patch: Option.Option<string>
  readonly unsigned: boolean
  readonly expiresAfter: Option.Option<string>
  readonly yes: boolean
}

export const edit = (
  common: Common,
  source: string,
  id: string,
  { data, expiresAfter, patch, unsigned, yes }: EditFlags
) =>
  withSession(common, ({ known, operations, output }) =>
    Effect.gen(function* () {
      if (Option.isSome(data) === Option.isSome(patch))
        return yield* new UsageError({ problem: "give --data or --patch, one of them" })
      const report = yield* operations.edit(source, {
        id,
        data: Option.isSome(data)
          ? { _tag: "Data", json: Buffer.from(data.value) }
          : { _tag: "Patch", json: Buffer.from(Option.getOrElse(patch, () => "")) },
        contracts: known.contracts,
        apply: yes,
        unsigned,
        ...Lifetime.ofText(Option.getOrUndefined(expiresAfter))
      })
      yield* output.report(report, () => [
        `${yes ? "edited and replayed" : "would be edited and replayed"}: ${printable(id)}`,
        ...report.changed.map((path) => printable(`  ${path}`)),
        ...(yes ? [] : [nothingChanged])
      ])
    })
  )

export const watch = (common: Common, source: string, limit: Option.Option<number>) =>
  withSession(common, (session) =>
    follow(session, source, lineOf, (onItem) =>
      session.operations.watchLetters(source, Option.getOrUndefined(limit), onItem)
    )
  )

const lineOf = (item: WatchItem, paint: Paint): string | undefined => {
  if (item.kind === "dead-letters.letter") return rowOf(item).join("  ")
  return item.kind === "tail.gap" ? paint.yellow(`${item.at ?? "-"}  letters may be missing here`) : undefined
}
