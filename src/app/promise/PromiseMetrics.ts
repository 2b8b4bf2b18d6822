/** The metrics of this process for code without Effect: as plain data, and as Prometheus reads them. */
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as Metrics from "../../observe/Metrics.ts"
import type { PromiseRun } from "./PromiseRun.ts"

interface MetricFacts {
  /** The name by OpenTelemetry's conventions, such as `messaging.client.sent.messages`. */
  readonly name: string
  readonly description: string
  /** In UCUM: `s`, `By`, or the counted thing in braces. Empty for metrics of the service itself. */
  readonly unit: string
  readonly tags: Readonly<Record<string, string>>
}

/** One number. A counter only grows. */
export interface MetricNumber extends MetricFacts {
  readonly type: "counter" | "gauge"
  readonly value: number
}

/** Many observations of one thing, such as durations. */
export interface MetricHistogram extends MetricFacts {
  readonly type: "histogram"
  readonly count: number
  readonly sum: number
  /** How many observations were at most `upTo`. */
  readonly buckets: ReadonlyArray<{ readonly upTo: number; readonly count: number }>
}

/** Metrics of these types are those of the service itself: the bus has none. */
export interface MetricSummary extends MetricFacts {
  readonly type: "summary" | "frequency"
  /** By quantile, or by what was counted. */
  readonly values: Readonly<Record<string, number>>
}

/** One metric with one set of tags. */
export type PromiseMetric = MetricNumber | MetricHistogram | MetricSummary

export interface PromiseMetrics {
  /** Each metric of this process with its value at this moment. Several buses in one process share them. */
  readonly metrics: () => Promise<ReadonlyArray<PromiseMetric>>
  /** The same in Prometheus' text format, as `/metrics` of `httpHandler` has it. */
  readonly metricsText: () => Promise<string>
}

const units = new Map(Metrics.all.map(({ name, unit }) => [name, unit]))

export const make = ({ run }: PromiseRun): PromiseMetrics => ({
  metrics: () => run(Effect.map(Metric.snapshot, (all) => all.map(plain))),
  metricsText: () =>
    run(
      Effect.flatMap(
        Effect.promise(() => import("../http/Prometheus.ts")),
        ({ text }) => text
      )
    )
})

const plain = (metric: Metric.Metric.Snapshot): PromiseMetric => {
  const { attributes = {}, description = "", id: name } = metric
  const facts = { name, description, unit: units.get(name) ?? "", tags: { ...attributes } }
  switch (metric.type) {
    case "Counter":
      return { ...facts, type: "counter", value: Number(metric.state.count) }
    case "Gauge":
      return { ...facts, type: "gauge", value: Number(metric.state.value) }
    case "Histogram": {
      const { buckets, count, sum } = metric.state
      return {
        ...facts,
        type: "histogram",
        count,
        sum,
        buckets: buckets.map(([upTo, within]) => ({ upTo, count: within }))
      }
    }
    case "Summary": {
      const known = metric.state.quantiles.flatMap(([quantile, value]) =>
        value === undefined ? [] : [[String(quantile), value] as const]
      )
      return { ...facts, type: "summary", values: Object.fromEntries(known) }
    }
    case "Frequency":
      return { ...facts, type: "frequency", values: Object.fromEntries(metric.state.occurrences) }
  }
}
