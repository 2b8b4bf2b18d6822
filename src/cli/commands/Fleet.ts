/** `eventbus ps`, `pause`, `resume` and `release`. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { userInfo } from "node:os"
import { printable } from "../../event/FieldValue.ts"
import * as Disagreements from "../../operations/fleet/Disagreements.ts"
import type * as Reports from "../../operations/FleetReports.ts"
import { ExitCode } from "../ExitCode.ts"
import { type Common, run as withSession } from "../Session.ts"
import { type Paint, table } from "../Text.ts"

export const ps = (common: Common) =>
  withSession(common, ({ operations, output }) =>
    Effect.gen(function* () {
      const report = selected(yield* operations.ps, common.subscriber)
      yield* output.report(report, () => psLines(report, output.paint))
    })
  )

type Ps = typeof Reports.Ps.Type

/** Those of the subscribers that were named; all where none was. */
const selected = (report: Ps, names: ReadonlyArray<string>): Ps => {
  if (names.length === 0) return report
  const processes = report.processes.flatMap((process) => {
    const subscribers = process.subscribers.filter(({ name }) => names.includes(name))
    return subscribers.length === 0 ? [] : [{ ...process, subscribers }]
  })
  return { ...report, processes, paused: report.paused.filter(({ subscriber }) => names.includes(subscriber)) }
}

const psLines = ({ disagreements, paused, processes, unreadable }: Ps, paint: Paint): ReadonlyArray<string> => [
  ...processes.flatMap(({ contracts, host, library, pid, secondsAgo, source, startedAt, subscribers }) => [
    `${paint.bold(printable(source))}  ${printable(`${host}:${pid}`)}  ${printable(library)}  ${paint.dim(`since ${printable(startedAt)}, seen ${secondsAgo} s ago`)}`,
    ...table(
      subscribers.map(({ cause, events, held, inFlight, lag, name, parked, status }) => [
        `  ${printable(name)}`,
        status,
        `${lag ?? "?"} ready`,
        `${held} held`,
        `${inFlight} running`,
        ...(parked === 0 ? [] : [`${parked} parked`]),
        cause === null ? events.map(printable).join(" ") : `${events.map(printable).join(" ")}  (${printable(cause)})`
      ])
    ),
    ...(subscribers.length === 0 ? [`  publishes ${publishedBy(contracts)}`] : [])
  ]),
  ...paused.map((pause) => paint.yellow(`paused ${printable(pause.subscriber)}: ${pauseText(pause)}`)),
  ...disagreements.map((one) => paint.red(printable(Disagreements.textOf(one)))),
  ...(unreadable === 0 ? [] : [`${unreadable} processes cannot be read: a later version of this command may`]),
  ...(processes.length === 0 ? ["no process shows itself"] : [])
]

const publishedBy = (contracts: Ps["processes"][number]["contracts"]): string =>
  contracts?.events
    .flatMap(({ event, publishes }) => (publishes === null ? [] : [`${printable(event)} version ${publishes}`]))
    .join(", ") ?? "events"

const pauseText = ({ by, reason, since }: typeof Reports.Pause.Type): string =>
  `by ${printable(by === "" ? "?" : by)} since ${printable(since)}${reason === "" ? "" : `: ${printable(reason)}`}`

export interface PauseFlags {
  readonly reason: Option.Option<string>
  readonly as: Option.Option<string>
  readonly yes: boolean
}

export const pause = (common: Common, subscriber: string, { as, reason, yes }: PauseFlags) =>
  withSession(common, ({ operations, outcome, output }) =>
    Effect.gen(function* () {
      const report = yield* operations.pause(subscriber, {
        by: Option.getOrElse(as, userName),
        reason: Option.getOrUndefined(reason),
        apply: yes
      })
      if (report.pending > 0) outcome.code = ExitCode.found
      yield* output.report(report, () => [
        report.changed
          ? `${printable(subscriber)} ${yes ? "is paused" : "would be paused"} ${pauseText(report.pause)}`
          : `${printable(subscriber)} was paused before ${pauseText(report.pause)}`,
        ...holderLines(report),
        ...hintOf(report)
      ])
    })
  )

export const resume = (common: Common, subscriber: string, yes: boolean) =>
  withSession(common, ({ operations, outcome, output }) =>
    Effect.gen(function* () {
      const report = yield* operations.resume(subscriber, { apply: yes })
      if (report.pending > 0) outcome.code = ExitCode.found
      const { pause } = report
      yield* output.report(report, () => [
        pause === null
          ? `no operator has paused ${printable(subscriber)}`
          : `${printable(subscriber)} ${yes ? "is resumed" : "would be resumed"}; it was paused ${pauseText(pause)}`,
        ...holderLines(report),
        ...hintOf(report)
      ])
    })
  )

type Ordered = Pick<typeof Reports.PauseOrder.Type, "changed" | "dryRun" | "pending" | "processes">

const holderLines = ({ pending, processes }: Ordered): ReadonlyArray<string> => [
  ...table(
    processes.map(({ cause, host, pid, secondsAgo, source, status }) => [
      `  ${printable(source)}`,
      printable(`${host}:${pid}`),
      status,
      `seen ${secondsAgo} s ago${cause === null ? "" : `  (${printable(cause)})`}`
    ])
  ),
  ...(processes.length === 0 ? ["  no process that runs it shows itself"] : []),
  ...(pending === 0
    ? []
    : [`${pending} of them have not followed: a process that was killed is in the list for 30 seconds`])
]

const hintOf = ({ changed, dryRun }: Ordered): ReadonlyArray<string> =>
  dryRun && changed ? ["nothing was changed: the same with --yes does it"] : []

export const release = (common: Common, subscriber: string, key: Option.Option<string>, yes: boolean) =>
  withSession(common, ({ operations, output }) =>
    Effect.gen(function* () {
      const report = yield* operations.release(subscriber, { key: Option.getOrUndefined(key), apply: yes })
      const what = report.key === null ? "every parked key" : `the parked key ${printable(report.key)}`
      yield* output.report(report, () => [
        `${what} of ${printable(subscriber)} ${yes ? "was asked to run now" : "would be asked to run now"}`,
        ...(report.parked === null ? [] : [`${report.parked} events are parked`]),
        ...(yes ? [] : ["nothing was changed: the same with --yes does it"])
      ])
    })
  )

/** A container may have a user without a name. */
const userName = (): string => {
  try {
    return userInfo().username
  } catch {
    return "somebody"
  }
}
