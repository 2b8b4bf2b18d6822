/** `eventbus load` and `eventbus bench` */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as LoadReports from "../../operations/LoadReports.ts"
import { printable } from "../../event/FieldValue.ts"
import { ExitCode } from "../ExitCode.ts"
import * as Progress from "../Progress.ts"
import { type Common, run as withSession } from "../Session.ts"
import { table } from "../Text.ts"

export interface Flags {
  readonly event: string
  readonly rate: Option.Option<number>
  readonly seconds: number
  readonly size: number
  readonly within: Option.Option<string>
  readonly yes: boolean
}

export const run = (common: Common, { event, rate, seconds, size, within, yes }: Flags) =>
  withSession(common, ({ operations, outcome, output }) =>
    Effect.gen(function* () {
      const report = yield* Progress.during(!output.isJson, "published", (progress) =>
        operations.load({
          event,
          seconds,
          size,
          progress,
          rate: Option.getOrUndefined(rate),
          namespace: Option.getOrUndefined(within),
          apply: yes
        })
      )
      if (report.missing > 0) outcome.code = ExitCode.found
      yield* output.report(report, () => linesOf(report))
    })
  )

const linesOf = (report: typeof LoadReports.Load.Type): ReadonlyArray<string> => [
  `${report.confirmed} events in ${report.seconds} s: ${report.perSecond} a second, ${report.received} received`,
  ...table([
    ["milliseconds", "p50", "p90", "p99", "p99.9", "max"],
    ["publish", ...cells(report.publish)],
    ["end to end", ...cells(report.endToEnd)]
  ]),
  ...(report.missing > 0
    ? [`${report.missing} did not come in time: see whether ${printable(report.namespace)} lags`]
    : [])
]

const cells = ({ max, p50, p90, p99, p999 }: (typeof LoadReports.Load.Type)["publish"]): ReadonlyArray<string> =>
  [p50, p90, p99, p999, max].map((millis) => millis.toFixed(2))

export const bench = (common: Common, { seconds, size }: Pick<Flags, "seconds" | "size">) =>
  withSession(common, ({ operations, outcome, output }) =>
    Effect.gen(function* () {
      const report = yield* Progress.during(!output.isJson, "parts", (onPart) =>
        operations.bench({ seconds, size, onPart })
      )
      if (report.consume.missing + report.half.missing > 0) outcome.code = ExitCode.found
      yield* output.report(report, () => benchLines(report))
    })
  )

const benchLines = ({
  consume,
  half,
  oneByOne,
  pipelined,
  size
}: typeof LoadReports.Bench.Type): ReadonlyArray<string> => {
  const missing = consume.missing + half.missing
  return [
    `events of ${size} bytes through a quorum queue`,
    ...table([
      ["", "a second", "p50 ms", "p90", "p99", "p99.9", "max"],
      ["publish one by one", String(oneByOne.perSecond), ...cells(oneByOne.publish)],
      ["publish at once", String(pipelined.perSecond), ...cells(pipelined.publish)],
      ["consume", String(consume.perSecond)],
      ["publish at half load", String(half.perSecond), ...cells(half.publish)],
      ["end to end at half load", "", ...cells(half.endToEnd)]
    ]),
    ...(missing > 0 ? [`${missing} did not come in time`] : [])
  ]
}
