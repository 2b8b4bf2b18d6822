/** The figures of a run as text. */
import type { Figures, Judgement } from "./Judgement.ts"
import type { Quantiles } from "./Statistics.ts"
import type { Violation } from "./GroupRules.ts"

const ms = (value: number): string => (value >= 10_000 ? `${(value / 1000).toFixed(1)} s` : `${Math.round(value)} ms`)
const spread = ({ count, max, p50, p95, p99 }: Quantiles): string =>
  count === 0 ? "–" : `p50 ${ms(p50)}, p95 ${ms(p95)}, p99 ${ms(p99)}, max ${ms(max)}`
const percent = (share: number): string => `${(share * 100).toFixed(2)} %`

const table = (rows: ReadonlyArray<ReadonlyArray<string | number>>): ReadonlyArray<string> => {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => String(row[column]).length))) ?? []
  return rows.map((row) =>
    row
      .map((cell, column) =>
        column === 0 ? String(cell).padEnd(widths[column] ?? 0) : String(cell).padStart(widths[column] ?? 0)
      )
      .join("  ")
  )
}

const groupRows = ({ groups }: Figures): ReadonlyArray<ReadonlyArray<string | number>> => [
  ["", ...groups.map(({ group }) => group)],
  ["confirmed", ...groups.map(({ confirmed }) => confirmed)],
  ["handled", ...groups.map(({ handled }) => handled)],
  ["lost", ...groups.map(({ lost }) => lost)],
  ["ghosts", ...groups.map(({ ghosts }) => ghosts)],
  ["poison confirmed", ...groups.map(({ poison }) => poison)],
  ["dead letters", ...groups.map(({ deadLetters }) => deadLetters)],
  ["innocent dead letters", ...groups.map(({ innocents }) => innocents)],
  ["order violations", ...groups.map(({ orderViolations }) => orderViolations)],
  ["overlaps per key", ...groups.map(({ overlaps }) => overlaps)],
  ["of a lost connection", ...groups.map(({ excusedOverlaps }) => excusedOverlaps)],
  ["duplicates", ...groups.map(({ duplicates }) => duplicates)],
  ["share", ...groups.map(({ duplicateShare }) => percent(duplicateShare))],
  ["redelivered", ...groups.map(({ redelivered }) => redelivered)],
  ["unknown", ...groups.map(({ unknown }) => unknown)],
  ["of them there", ...groups.map(({ unknownHandled }) => unknownHandled)],
  ["refused", ...groups.map(({ refused }) => refused)]
]

export const report = ({ figures, violations, windows }: Judgement): ReadonlyArray<string> => {
  const { recovery } = figures
  const longest = ({ count, max, p50 }: Quantiles): ReadonlyArray<string> =>
    count === 0 ? ["–", "–"] : [ms(p50), ms(max)]
  const recoveries = Object.entries(recovery).map(([kind, { faults, handle, inOrder, lasted, publish }]) => [
    kind,
    faults,
    ms(lasted.p50),
    ...longest(publish),
    ...longest(handle),
    ...longest(inOrder)
  ])
  const { claims, silences } = figures.progress
  return [
    "",
    ...table(groupRows(figures)),
    "",
    `published ${figures.published}, confirmed ${figures.confirmed}, unknown ${percent(figures.unknownShare)}; attempts: ${JSON.stringify(figures.outcomes)}`,
    `publish ${spread(figures.publishMillis)}`,
    `publish with Redis alone at fault: ${figures.redisWindowPublishes}, failed ${figures.redisWindowFailures}; ${spread(figures.publishMillisRedisWindow)}`,
    `ends of processes: ${JSON.stringify(figures.deaths)}; drain ${spread(figures.drainMillis)}`,
    `connections dialled again ${figures.reconnects}; resident p50 ${figures.megabytes.p50.toFixed(0)} MB, max ${figures.megabytes.max.toFixed(0)} MB; heap slope max ${figures.heapSlope.count === 0 ? "–" : `${figures.heapSlope.max.toFixed(1)} MB/min`}`,
    `converged within ${ms(figures.convergeMillis)}`,
    ...(figures.health.samples === 0
      ? []
      : [
          `health: ${figures.health.samples} reports, ${figures.health.silences} silences above 20 s, noticed ${spread(figures.health.noticedMillis)}; ${figures.health.falseAlarms} false alarms`
        ]),
    "",
    ...table([
      [
        "longest silence around a fault",
        "faults",
        "lasted p50",
        "publish p50",
        "max",
        "handle p50",
        "max",
        "by key p50",
        "max"
      ],
      ...recoveries
    ]),
    "",
    `with one node away: ${silences.count} silences above 1 s, ${spread(silences)}`,
    `keys whose process lost its line go on after ${spread(claims.lostLine)}; was killed: ${spread(claims.kill)}`,
    `${windows.length} faults, ${violations.length} violations${violations.length === 0 ? "" : ":"}`,
    ...violations.map(lineOf)
  ]
}

export const lineOf = ({ detail, group, rule }: Violation): string =>
  `  ${rule}${group === undefined ? "" : ` (${group})`}: ${detail}`
