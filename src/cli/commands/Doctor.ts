/** `eventbus doctor` */
import * as Effect from "effect/Effect"
import type * as Reports from "../../operations/Reports.ts"
import { printable, printableLines } from "../../event/FieldValue.ts"
import { ExitCode } from "../ExitCode.ts"
import { type Common, run as withSession } from "../Session.ts"
import { type Paint } from "../Text.ts"

export const run = (common: Common) =>
  withSession(common, ({ known, operations, outcome, output }) =>
    Effect.gen(function* () {
      const report = yield* operations.doctor({
        subscribers: known.subscribers,
        events: known.publishes ?? [...known.contracts.keys()]
      })
      if (!report.healthy) outcome.code = ExitCode.found
      yield* output.report(report, () => lines(report, output.paint))
    })
  )

type Report = typeof Reports.Doctor.Type

const lines = ({ facts, findings, unseen }: Report, paint: Paint): ReadonlyArray<string> => [
  ...facts.map((fact) => `${paint.green("ok")}       ${printable(fact)}`),
  ...unseen.map((text) => paint.dim(`not seen ${printable(text)}`)),
  ...findings.flatMap((finding) => linesOf(finding, paint)),
  findings.length === 0 ? "nothing found" : `${findings.length} found`
]

const linesOf = ({ check, mend, seen, severity }: Report["findings"][number], paint: Paint) => [
  `${severity === "error" ? paint.red("error   ") : paint.yellow("warning ")} ${paint.bold(check)}`,
  `         ${printable(seen)}`,
  ...printableLines(mend)
    .split("\n")
    .map((line) => `         > ${line}`)
]
