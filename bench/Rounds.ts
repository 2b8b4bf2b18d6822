/**
 * Measurements in rounds: A B C, then C B A, and so on, so that a disturbance of the machine hits all entries. A
 * ratio is taken within a round; only then come median, minimum and maximum over the rounds.
 */
import type { Report } from "./scenarios/Job.ts"

export interface Entry {
  readonly name: string
  readonly run: () => Promise<Report>
}

export interface Experiment {
  /** Whether it runs only where `--only` names it. */
  readonly isRare?: boolean
  readonly id: string
  readonly title: string
  readonly entries: ReadonlyArray<Entry>
}

export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
}

export type Metric = (report: Report) => number | undefined

export const eventsPerSecond: Metric = ({ events, seconds }) => events / seconds
export const cpuPerEvent: Metric = ({ cpuMicros, events }) => cpuMicros / events
export const brokerPerEvent: Metric = ({ brokerMicros, events }) => brokerMicros / events
export const rss: Metric = ({ rssMiB }) => rssMiB
export const p50: Metric = (report) => report.p50
export const p99: Metric = (report) => report.p99

export const spread = (values: ReadonlyArray<number>): Spread | undefined => {
  const sorted = [...values].sort((one, other) => one - other)
  const [min] = sorted
  const max = sorted.at(-1)
  const low = sorted[Math.floor((sorted.length - 1) / 2)]
  const high = sorted[Math.ceil((sorted.length - 1) / 2)]
  return min === undefined || max === undefined || low === undefined || high === undefined
    ? undefined
    : { median: (low + high) / 2, min, max }
}

export interface Rounds {
  readonly experiments: ReadonlyArray<Experiment>
  readonly reports: (experiment: string, entry: string) => ReadonlyArray<Report | undefined>
  readonly over: (experiment: string, entry: string, metric: Metric) => Spread | undefined
  /** The value of each round divided by that of a reference in the same round. */
  readonly ratio: (
    of: readonly [experiment: string, entry: string, metric: Metric],
    by: (round: number) => number | undefined
  ) => Spread | undefined
  readonly value: (experiment: string, entry: string, metric: Metric, round: number) => number | undefined
  readonly otherCores: Spread | undefined
  readonly failures: ReadonlyArray<string>
}

export const run = async (
  experiments: ReadonlyArray<Experiment>,
  rounds: number,
  print: (line: string) => void
): Promise<Rounds> => {
  const all = new Map<string, Array<Report | undefined>>()
  const failures: Array<string> = []
  const nameOf = (experiment: string, entry: string): string => `${experiment} · ${entry}`
  for (let round = 0; round < rounds; round++) {
    for (const { entries, id } of experiments) {
      for (const entry of round % 2 === 0 ? entries : entries.toReversed()) {
        const name = nameOf(id, entry.name)
        const list = all.get(name) ?? []
        all.set(name, list)
        try {
          const report = await entry.run()
          list[round] = report
          const cpu = (report.cpuMicros / report.events).toFixed(2)
          const speed = Math.round(report.events / report.seconds)
          const wait = report.p50 === undefined ? "" : `, p50 ${report.p50.toFixed(2)} ms`
          print(`round ${round + 1} · ${name}: ${speed} events/s, ${cpu} µs${wait}`)
        } catch (error) {
          const text = `round ${round + 1} · ${name}: ${error instanceof Error ? error.message : String(error)}`
          failures.push(text.slice(0, 300))
          print(`FAILED ${text}`)
        }
      }
    }
  }
  const reports = (experiment: string, entry: string) => all.get(nameOf(experiment, entry)) ?? []
  const value = (experiment: string, entry: string, metric: Metric, round: number): number | undefined => {
    const report = reports(experiment, entry)[round]
    return report === undefined ? undefined : metric(report)
  }
  const known = (values: ReadonlyArray<number | undefined>): ReadonlyArray<number> =>
    values.filter((value) => value !== undefined && Number.isFinite(value)) as ReadonlyArray<number> // so it was filtered
  const numbers = Array.from({ length: rounds }, (_, round) => round)
  return {
    experiments,
    reports,
    value,
    over: (experiment, entry, metric) => spread(known(numbers.map((round) => value(experiment, entry, metric, round)))),
    ratio: ([experiment, entry, metric], by) =>
      spread(
        known(
          numbers.map((round) => {
            const one = value(experiment, entry, metric, round)
            const other = by(round)
            return one === undefined || other === undefined ? undefined : one / other
          })
        )
      ),
    otherCores: spread([...all.values()].flat().flatMap((report) => (report === undefined ? [] : [report.otherCores]))),
    failures
  }
}
