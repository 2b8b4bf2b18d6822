/** The targets of the library, and whether a run met them. */
import type * as Rounds from "./Rounds.ts"
import { cpuPerEvent, eventsPerSecond, type Metric, p50, p99, type Spread } from "./Rounds.ts"

export interface Outcome {
  readonly text: string
  readonly limit: number
  /** The limit is an upper bound. */
  readonly most: boolean
  readonly found: Spread | undefined
  readonly unit: string
}

export const isMet = ({ found, limit, most }: Outcome): boolean =>
  found !== undefined && (most ? found.median <= limit : found.median >= limit)

export const outcomes = (rounds: Rounds.Rounds): ReadonlyArray<Outcome> => {
  const by = (experiment: string, entry: string, metric: Metric) => (round: number) =>
    rounds.value(experiment, entry, metric, round)
  const ratio = (
    text: string,
    bound: { readonly most: number } | { readonly least: number },
    of: readonly [string, string, Metric],
    reference: (round: number) => number | undefined,
    unit = "x"
  ): Outcome => ({
    text,
    limit: "most" in bound ? bound.most : bound.least,
    most: "most" in bound,
    found: rounds.ratio(of, reference),
    unit
  })
  const flowCpu = (round: number): number | undefined => {
    const sent = rounds.value("publish", "raw", cpuPerEvent, round)
    const taken = rounds.value("consume", "raw", cpuPerEvent, round)
    return sent === undefined || taken === undefined ? undefined : sent + taken
  }
  const rawSpeed = by("publish", "raw", eventsPerSecond)
  const letters = "dead letters"
  return [
    ratio("publish: events/s to raw", { least: 1 }, ["publish", "ours", eventsPerSecond], rawSpeed),
    ratio(
      "publish: client CPU to raw",
      { most: 1.1 },
      ["publish", "ours", cpuPerEvent],
      by("publish", "raw", cpuPerEvent)
    ),
    ratio(
      "consume: events/s to raw",
      { least: 1.35 },
      ["consume", "ours", eventsPerSecond],
      by("consume", "raw", eventsPerSecond)
    ),
    ratio(
      "consume: client CPU to raw",
      { most: 0.9 },
      ["consume", "ours", cpuPerEvent],
      by("consume", "raw", cpuPerEvent)
    ),
    ratio(
      "latency p50 to raw with noDelay",
      { most: 1.1 },
      ["latency", "ours", p50],
      by("latency", "raw-nodelay", p50)
    ),
    ratio(
      "latency p99 to raw with noDelay",
      { most: 1.1 },
      ["latency", "ours", p99],
      by("latency", "raw-nodelay", p99)
    ),
    ratio("latency p50 to raw", { most: 0.1 }, ["latency", "ours", p50], by("latency", "raw", p50)),
    ratio("dead-lettering to raw's publish", { least: 0.4 }, [letters, "dead-letter", eventsPerSecond], rawSpeed),
    ratio("replay to raw's publish", { least: 0.4 }, [letters, "replay", eventsPerSecond], rawSpeed),
    ratio("parking to raw's publish", { least: 0.25 }, [letters, "park", eventsPerSecond], rawSpeed),
    ratio("back from the ladder: median lateness", { most: 500 }, [letters, "park", p50], () => 1, " ms"),
    ratio(
      "by key to unordered, CPU",
      { most: 1.15 },
      ["consume", "ours, by key", cpuPerEvent],
      by("consume", "ours", cpuPerEvent)
    ),
    ratio(
      "publish, every span sampled, CPU",
      { most: 1.6 },
      ["publish", "ours, every span sampled", cpuPerEvent],
      by("publish", "ours", cpuPerEvent)
    ),
    ratio(
      "consume, every span sampled, CPU",
      { most: 1.6 },
      ["consume", "ours, every span sampled", cpuPerEvent],
      by("consume", "ours", cpuPerEvent)
    ),
    ratio(
      "publish, cache on (Redis), CPU",
      { most: 1.15 },
      ["publish", "ours, cache on (Redis)", cpuPerEvent],
      by("publish", "ours", cpuPerEvent)
    ),
    ratio(
      "publish, cache on (process), CPU",
      { most: 1.15 },
      ["publish", "ours, cache on (process)", cpuPerEvent],
      by("publish", "ours", cpuPerEvent)
    ),
    ratio("embedded: CPU to raw's publish + consume", { most: 0.4 }, ["embedded", "ours", cpuPerEvent], flowCpu),
    ratio("start to first event, to effect + raw", { most: 1.3 }, ["start", "ours", p50], by("start", "raw", p50)),
    ...["door", "createEventBus"].flatMap((name) => [
      ratio(`import of ${name} to effect`, { most: 0.5 }, ["import", name, p50], by("import", "effect", p50)),
      ratio(
        `import of ${name} to effect, CPU`,
        { most: 0.5 },
        ["import", name, cpuPerEvent],
        by("import", "effect", cpuPerEvent)
      )
    ])
  ]
}
