/** `eventbus contracts …` */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Check from "../../contracts/Check.ts"
import * as Diff from "../../contracts/Diff.ts"
import type * as Finding from "../../contracts/Finding.ts"
import * as Snapshot from "../../contracts/Snapshot.ts"
import * as Subscribers from "../../contracts/Subscribers.ts"
import { printable } from "../../event/FieldValue.ts"
import type * as Reports from "../../operations/ContractReports.ts"
import * as Baseline from "../Baseline.ts"
import * as Contracts from "../Contracts.ts"
import { ExitCode, Outcome } from "../ExitCode.ts"
import { make as makeOutput } from "../Output.ts"
import type { Common } from "../Session.ts"
import { type Paint, table } from "../Text.ts"
import { UsageError } from "../UsageError.ts"

export interface Against {
  readonly baseline: string
  readonly against: Option.Option<string>
}

/** Contracts and subscribers alone: no settings, no broker. */
export const loaded = Effect.fnUntraced(function* (common: Common) {
  const output = yield* makeOutput(common.json)
  const known = yield* Contracts.load(Option.getOrUndefined(common.contracts), common.subscriber)
  const { contracts, specs } = known
  if (contracts.size === 0)
    return yield* new UsageError({
      problem: 'there are no contracts: name their module by --contracts <file>, or by "eventbus" in package.json'
    })
  const events = [...contracts.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1))
  return {
    known,
    output,
    events,
    subscribers: specs.map(({ name, patterns }): Subscribers.Subscriber => ({ name, events: patterns }))
  }
})

export const list = Effect.fnUntraced(function* (common: Common) {
  const { events, output, subscribers } = yield* loaded(common)
  const report: typeof Reports.List.Type = {
    kind: "contracts.list",
    version: 1,
    events: Object.entries(Snapshot.of(events).events).map(([event, { key, version }]) => ({
      event,
      version,
      key,
      subscribers: Subscribers.of(event, subscribers)
    }))
  }
  yield* output.report(report, () =>
    table([
      ["event", "version", "key", "subscribers"],
      ...report.events.map((one) => [one.event, String(one.version), one.key ?? "-", one.subscribers.join(", ")])
    ])
  )
})

export const show = Effect.fnUntraced(function* (common: Common, event: string) {
  const { events, output, subscribers } = yield* loaded(common)
  const contract = Snapshot.of(events).events[event]
  if (contract === undefined)
    return yield* new UsageError({ problem: `no contract is called ${event}: eventbus contracts list has all` })
  const names = Subscribers.of(event, subscribers)
  const report: typeof Reports.Show.Type = { kind: "contracts.show", version: 1, event, subscribers: names, contract }
  yield* output.report(report, () => [
    output.paint.bold(event),
    ...(names.length === 0 ? [] : [`subscribers: ${names.join(", ")}`]),
    JSON.stringify(contract, null, 2)
  ])
})

export const snapshot = Effect.fnUntraced(function* (common: Common, file: string) {
  const { events, output } = yield* loaded(common)
  const next = Snapshot.of(events)
  const before = yield* Baseline.readIf(file)
  const changed = before === undefined || !Baseline.isSame(before, next)
  if (changed) yield* Baseline.write(file, next)
  const report: typeof Reports.Written.Type = {
    kind: "contracts.snapshot",
    version: 1,
    file,
    events: events.length,
    changed
  }
  yield* output.report(report, () => [
    changed ? `${file} has ${events.length} events now: commit it` : `${file} is as the contracts are`
  ])
})

const compared = Effect.fnUntraced(function* (common: Common, { against, baseline }: Against) {
  const { events, output, subscribers } = yield* loaded(common)
  const before = Option.isSome(against)
    ? yield* Baseline.readRevision(baseline, against.value)
    : yield* Baseline.read(baseline)
  const findings = yield* Check.run(before, events, subscribers)
  const name = Option.isSome(against) ? `${baseline} of ${against.value}` : baseline
  return { output, before, after: Snapshot.of(events), findings, name }
})

export const check = Effect.fnUntraced(function* (common: Common, given: Against) {
  const outcome = yield* Outcome
  const { after, findings, name, output } = yield* compared(common, given)
  const written = yield* Baseline.readIf(given.baseline)
  const report: typeof Reports.Check.Type = {
    kind: "contracts.check",
    version: 1,
    against: name,
    compatible: findings.every(({ level }) => level !== "breaking"),
    current: written !== undefined && Baseline.isSame(written, after),
    findings
  }
  if (!report.compatible || !report.current) outcome.code = ExitCode.found
  yield* output.report(report, () => [
    ...findingLines(findings, output.paint),
    report.compatible
      ? `nothing breaks what ${printable(name)} promises`
      : `${findings.filter(({ level }) => level === "breaking").length} changes break what ${printable(name)} promises`,
    ...(report.current
      ? []
      : [`${given.baseline} is not that of these contracts: eventbus contracts snapshot writes it`])
  ])
})

export const diff = Effect.fnUntraced(function* (common: Common, given: Against) {
  const { after, before, findings, name, output } = yield* compared(common, given)
  const changes = Diff.changes(before, after)
  const report: typeof Reports.Diff.Type = { kind: "contracts.diff", version: 1, against: name, findings, changes }
  yield* output.report(report, () => [
    ...changes.map((change) => changeLine(change, output.paint)),
    ...findingLines(findings, output.paint),
    changes.length === 0 ? "nothing changed" : `${changes.length} changes since ${printable(name)}`
  ])
})

const whom: Readonly<Record<Finding.Affected, string>> = {
  old: "subscribers with the contract of before",
  new: "subscribers with the new contract, by what was published before",
  publishers: "publishers",
  readers: "who reads what is remembered",
  askers: "askers, while they and their repliers have different contracts"
}

const findingLines = (findings: ReadonlyArray<Finding.Finding>, paint: Paint): ReadonlyArray<string> =>
  findings.flatMap(({ affected, event, field, level, rule, seen, subscribers, version, way }) => {
    const within = field === "" || affected.includes("askers") ? field : `data.${field}`
    const place = within === "" ? "" : ` ${within}`
    const names = subscribers.length === 0 ? "" : ` (${subscribers.join(", ")})`
    return [
      `${level === "breaking" ? paint.red("breaks  ") : paint.yellow("notice  ")} ${paint.bold(`${event} version ${version}`)}${printable(place)}: ${rule}`,
      `         ${printable(`${within === "" ? "" : `${within} `}${seen}`)}`,
      `         affects ${affected.map((one) => whom[one]).join("; ")}${names}`,
      `         > ${printable(way)}`
    ]
  })

const changeLine = ({ after, before, event, path }: Diff.Change, paint: Paint): string => {
  const place = printable(`${event}${path === "" ? "" : ` ${path}`}`)
  if (before === null) return `${paint.green("+")} ${place}: ${printable(after ?? "")}`
  if (after === null) return `${paint.red("-")} ${place}: ${printable(before)}`
  return `${paint.yellow("~")} ${place}: ${printable(before)} -> ${printable(after)}`
}
