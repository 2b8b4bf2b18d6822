/**
 * The metrics of this process in Prometheus' text format. They have OpenTelemetry's names as Prometheus writes them: dots
 * become underscores, units and `_total` are appended.
 */
import type * as Effect from "effect/Effect"
import * as PrometheusMetrics from "effect/observability/PrometheusMetrics"
import { prometheusName } from "../../observe/MetricDefinition.ts"
import * as Metrics from "../../observe/Metrics.ts"

const names = new Map(Metrics.all.map((definition) => [definition.name, prometheusName(definition)]))
/** Metrics of the service itself keep their names. */
const nameOf = (name: string): string => names.get(name) ?? name

export const text: Effect.Effect<string> = PrometheusMetrics.format({ metricNameMapper: nameOf })
