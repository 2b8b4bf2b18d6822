/**
 * The targets of the library, and whether a run met them. "By hand" is amqplib that sends the same envelope with a fresh id
 * and time, mandatory, persistent and confirmed, and acknowledges each delivery (`peers/raw.ts`).
 */
import type * as Rounds from "./Rounds.ts"
import { cpuPerEvent, eventsPerSecond, type Metric, p50, p99, rss, type Spread } from "./Rounds.ts"

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
  const rawPublish = by("publish", "raw", cpuPerEvent)
  const rawConsume = by("consume", "raw", cpuPerEvent)
  const noDelay = (metric: Metric) => by("latency", "raw-nodelay", metric)
  const letters = "dead letters"
  return [
    ratio("publish: CPU to by hand", { most: 0.7 }, ["publish", "ours", cpuPerEvent], rawPublish),
    ratio("publish: events/s to by hand", { least: 1.15 }, ["publish", "ours", eventsPerSecond], rawSpeed),
    ratio("publishAll: CPU to by hand", { most: 0.5 }, ["publish", "ours, publishAll", cpuPerEvent], rawPublish),
    ratio("consume: CPU to by hand", { most: 0.65 }, ["consume", "ours", cpuPerEvent], rawConsume),
    ratio(
      "consume in batches of 500: CPU to by hand",
      { most: 0.55 },
      ["consume", "ours, batches of 500", cpuPerEvent],
      rawConsume
    ),
    ratio(
      "consume: events/s to by hand",
      { least: 1.5 },
      ["consume", "ours", eventsPerSecond],
      by("consume", "raw", eventsPerSecond)
    ),
    ratio("500 events/s: p50 to by hand with noDelay", { most: 1.1 }, ["latency", "ours", p50], noDelay(p50)),
    ratio("500 events/s: p99 to by hand with noDelay", { most: 1.1 }, ["latency", "ours", p99], noDelay(p99)),
    ratio(
      "500 events/s: CPU to by hand with noDelay",
      { most: 1.15 },
      ["latency", "ours", cpuPerEvent],
      noDelay(cpuPerEvent)
    ),
    ratio("500 events/s: p50 to by hand", { most: 0.1 }, ["latency", "ours", p50], by("latency", "raw", p50)),
    ratio(
      "start to first event, to by hand with noDelay",
      { most: 4 },
      ["start", "ours", p50],
      by("start", "amqplib", p50)
    ),
    ratio(
      "start to first event, to by hand with Effect",
      { most: 1.3 },
      ["start", "ours", p50],
      by("start", "raw", p50)
    ),
    ratio("publish: RSS to by hand", { most: 1.3 }, ["publish", "ours", rss], by("publish", "raw", rss)),
    ratio("consume: RSS to by hand", { most: 1.3 }, ["consume", "ours", rss], by("consume", "raw", rss)),
    ratio("dead-lettering to by hand's publish", { least: 0.4 }, [letters, "dead-letter", eventsPerSecond], rawSpeed),
    ratio("replay to by hand's publish", { least: 0.4 }, [letters, "replay", eventsPerSecond], rawSpeed),
    ratio("parking to by hand's publish", { least: 0.25 }, [letters, "park", eventsPerSecond], rawSpeed),
    ratio("back from the ladder: median lateness", { most: 500 }, [letters, "park", p50], () => 1, " ms"),
    ratio(
      "by key to unordered, CPU",
      { most: 1.15 },
      ["consume", "ours, by key", cpuPerEvent],
      by("consume", "ours", cpuPerEvent)
    ),
    ratio(
      "publish, every span sampled, CPU to untraced",
      { most: 1.6 },
      ["publish", "ours, every span sampled", cpuPerEvent],
      by("publish", "ours", cpuPerEvent)
    ),
    ratio(
      "consume, every span sampled, CPU to untraced",
      { most: 1.35 },
      ["consume", "ours, every span sampled", cpuPerEvent],
      by("consume", "ours", cpuPerEvent)
    ),
    ratio(
      "publish, cache on (Redis), CPU to none",
      { most: 1.1 },
      ["publish", "ours, cache on (Redis)", cpuPerEvent],
      by("publish", "ours", cpuPerEvent)
    ),
    ratio(
      "publish, cache on (process), CPU to none",
      { most: 1.1 },
      ["publish", "ours, cache on (process)", cpuPerEvent],
      by("publish", "ours", cpuPerEvent)
    ),
    ratio("embedded: CPU to by hand's publish + consume", { most: 0.4 }, ["embedded", "ours", cpuPerEvent], flowCpu),
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
