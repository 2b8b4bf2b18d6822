/** `eventbus topology …` */
import * as Effect from "effect/Effect"
import type { Retired, Wanted } from "../../bus/port/Administration.ts"
import type * as Reports from "../../operations/TopologyReports.ts"
import { printable } from "../../event/FieldValue.ts"
import { ExitCode } from "../ExitCode.ts"
import { type Common, run as withSession, type Session } from "../Session.ts"
import { type Paint, table } from "../Text.ts"

/** Options of `plan`, `apply` and `verify`. */
export interface Extent {
  readonly wholeLadder: boolean
}

const wantedOf = ({ known }: Session, { wholeLadder }: Extent = { wholeLadder: false }): Wanted => ({
  specs: known.specs,
  names: known.subscribers,
  wholeLadder
})

export const plan = (common: Common, extent: Extent) =>
  withSession(common, (session) =>
    Effect.gen(function* () {
      const { operations, output } = session
      const report = yield* operations.topology.plan(wantedOf(session, extent))
      yield* output.report(report, () => [
        ...differences(report, output.paint),
        ...costLines(report.cost),
        report.differences.length === 0
          ? "nothing to do"
          : "nothing was changed: eventbus topology apply declares what is missing"
      ])
    })
  )

export const verify = (common: Common, extent: Extent) =>
  withSession(common, (session) =>
    Effect.gen(function* () {
      const { operations, outcome, output } = session
      const report = yield* operations.topology.verify(wantedOf(session, extent))
      if (!report.matches) outcome.code = ExitCode.found
      yield* output.report(report, () => [
        ...differences(report, output.paint),
        report.matches
          ? `namespace ${report.namespace} is as the contracts say`
          : `${report.differences.length} differences`
      ])
    })
  )

export const apply = (common: Common, extent: Extent) =>
  withSession(common, (session) =>
    Effect.gen(function* () {
      const { operations, outcome, output } = session
      const report = yield* operations.topology.apply(wantedOf(session, extent))
      if (report.differences.length > 0) outcome.code = ExitCode.found
      yield* output.report(report, () => [
        ...report.declared.map((entity) => `${output.paint.green("+")} ${printable(entity)}`),
        ...differences(report, output.paint),
        ...costLines(report.cost),
        report.declared.length === 0 ? "everything was declared already" : `${report.declared.length} declared`
      ])
    })
  )

export const retire = (
  common: Common,
  target: Retired,
  { withContents, yes }: { readonly yes: boolean; readonly withContents: boolean }
) =>
  withSession(common, (session) =>
    Effect.gen(function* () {
      const { operations, outcome, output } = session
      const named = target._tag === "Event" ? { ...target, subscribers: common.subscriber } : target
      const report = yield* operations.topology.retire(named, wantedOf(session), { apply: yes, withContents })
      if (report.blocked.length > 0) outcome.code = ExitCode.found
      yield* output.report(report, () => retireLines(report, output.paint))
    })
  )

type Compared = Pick<typeof Reports.Plan.Type, "differences" | "unseen">

const signs = { missing: "+", unbound: "+", different: "~", "orphaned-queue": "-", "orphaned-binding": "-" } as const

const differences = ({ differences, unseen }: Compared, paint: Paint): ReadonlyArray<string> => [
  ...differences.flatMap(({ entity, kind, mend, seen }) => {
    const sign = signs[kind]
    const color = sign === "+" ? paint.green : sign === "~" ? paint.yellow : paint.red
    return [
      `${color(sign)} ${paint.bold(printable(entity))}: ${printable(seen)}`,
      // What is missing is declared by the same command for all.
      ...(sign === "+" ? [] : [`  > ${printable(mend)}`])
    ]
  }),
  ...unseen.map((text) => paint.dim(`not seen ${printable(text)}`))
]

const costLines = (cost: typeof Reports.Cost.Type): ReadonlyArray<string> => {
  const { bindings, exchanges, handles, hostQuorumQueues, ladderQueues, missingQueues, nodeHandles, quorumQueues } =
    cost
  const missing = missingQueues === null || missingQueues === 0 ? "" : `, ${missingQueues} of them are missing`
  return [
    `${quorumQueues} quorum queues${missing}; ${exchanges} exchanges, ${bindings} bindings`,
    `${handles} file handles on each node that has these queues`,
    ...(ladderQueues === 0
      ? []
      : [
          `up to ${ladderQueues} quorum queues more: a level of the delay ladder is declared when a delay first needs it`
        ]),
    ...(nodeHandles === null || hostQuorumQueues === null
      ? []
      : [`the virtual host has ${hostQuorumQueues} quorum queues, and a node may have ${nodeHandles} files open`])
  ]
}

const retireLines = (report: typeof Reports.Retire.Type, paint: Paint): ReadonlyArray<string> => {
  const { blocked, contents, dryRun, notes, steps, target, unseen } = report
  const shown = (count: number | null): string => (count === null ? "?" : String(count))
  return [
    ...table([
      ...(contents.length === 0 ? [] : [["queue", "ready", "held", "stuck", "consumers"]]),
      ...contents.map(({ consumers, queue, ready, stuck, unacknowledged }) => [
        printable(queue),
        ...[ready, unacknowledged, stuck, consumers].map(shown)
      ])
    ]),
    ...steps.map(({ action, done, entity }) => {
      const word = done ? (action === "delete" ? "deleted" : "unbound") : `would ${action}`
      return `${word} ${printable(entity)}`
    }),
    ...notes.map((note) => printable(note)),
    ...unseen.map((text) => paint.dim(`not seen ${printable(text)}`)),
    ...blocked.map((reason) => `${paint.red("blocked")} ${printable(reason)}`),
    ...(steps.length === 0 ? [`nothing of ${printable(target)} is there`] : []),
    ...(dryRun && steps.length > 0 && blocked.length === 0 ? ["nothing was changed: the same with --yes does it"] : [])
  ]
}
