/**
 * Makes what Effect exports what OpenTelemetry's conventions ask for: units, kinds and whole numbers as the
 * metrics are declared, a scope of our own, and a status only where there is something to tell.
 */
import type { OtlpMetrics, OtlpSerialization, OtlpTracer } from "effect/observability"
import { HttpBody } from "effect/http"
import { library } from "../../bus/Diagnosis.ts"
import type { Definition } from "../../observe/Definition.ts"
import * as Metrics from "../../observe/Metrics.ts"

const [scopeName = "", scopeVersion = ""] = library.split(" ")
const scope = { name: scopeName, version: scopeVersion }

type ScopeMetrics = OtlpMetrics.MetricsData["resourceMetrics"][number]["scopeMetrics"][number]
type Metric = ScopeMetrics["metrics"][number]
type Gauge = NonNullable<Metric["gauge"]>
type Sum = NonNullable<Metric["sum"]>
type Point = Gauge["dataPoints"][number]

const definitions: ReadonlyMap<string, Definition> = new Map(Metrics.all.map((one) => [one.name, one]))
const cumulative = 2

/** Effect keeps units in attributes. */
const withoutUnits = <P extends { readonly attributes?: ReadonlyArray<{ readonly key: string }> }>(point: P): P => ({
  ...point,
  attributes: (point.attributes ?? []).filter(({ key }) => key !== "unit" && key !== "time_unit")
})

/** What is counted is a whole number, what is measured is not. */
const counted = (unit: string, point: Point): Point => {
  const { asDouble, ...rest } = withoutUnits(point)
  return typeof asDouble === "number" && unit.startsWith("{")
    ? { ...rest, asInt: Math.round(asDouble) }
    : { ...rest, ...(asDouble !== undefined && { asDouble }) }
}

const conformed = (metric: Metric, { description, kind, unit }: Definition): Metric => {
  const told = { name: metric.name, description, unit }
  const points = (metric.sum ?? metric.gauge)?.dataPoints.map((point) => counted(unit, point)) ?? []
  switch (kind) {
    case "counter": {
      // The enumeration is not exported; these are its numbers.
      const aggregationTemporality = (metric.sum?.aggregationTemporality ?? cumulative) as Sum["aggregationTemporality"]
      return { ...told, sum: { aggregationTemporality, isMonotonic: true, dataPoints: points } }
    }
    case "updowncounter":
      return { ...told, sum: { aggregationTemporality: cumulative, isMonotonic: false, dataPoints: points } }
    case "gauge":
      return { ...told, gauge: { dataPoints: points } }
    case "histogram": {
      if (metric.histogram === undefined) return { ...metric, ...told }
      const dataPoints = metric.histogram.dataPoints.map((point) => {
        const { max, min, ...rest } = withoutUnits(point)
        return rest.count === 0
          ? rest
          : { ...rest, ...(min !== undefined && { min }), ...(max !== undefined && { max }) }
      })
      return { ...told, histogram: { ...metric.histogram, dataPoints } }
    }
  }
}

const plain = (metric: Metric): Metric => ({
  ...metric,
  ...(metric.sum && { sum: { ...metric.sum, dataPoints: metric.sum.dataPoints.map(withoutUnits) } }),
  ...(metric.gauge && { gauge: { dataPoints: metric.gauge.dataPoints.map(withoutUnits) } }),
  ...(metric.histogram && {
    histogram: { ...metric.histogram, dataPoints: metric.histogram.dataPoints.map(withoutUnits) }
  })
})

const metricsOf = (data: OtlpMetrics.MetricsData): OtlpMetrics.MetricsData => ({
  resourceMetrics: data.resourceMetrics.map(({ scopeMetrics, ...resource }) => ({
    ...resource,
    scopeMetrics: scopeMetrics.flatMap((one) => {
      const ours: Array<Metric> = []
      const others: Array<Metric> = []
      for (const metric of one.metrics) {
        const definition = definitions.get(metric.name)
        if (definition === undefined) others.push(plain(metric))
        else ours.push(conformed(metric, definition))
      }
      return [
        ...(ours.length > 0 ? [{ scope, metrics: ours }] : []),
        ...(others.length > 0 ? [{ ...one, metrics: others }] : [])
      ]
    })
  }))
})

const tracesOf = (data: OtlpTracer.TraceData): OtlpTracer.TraceData => ({
  resourceSpans: data.resourceSpans.map(({ scopeSpans, ...resource }) => ({
    ...resource,
    scopeSpans: scopeSpans.flatMap((one) => {
      const [ours, others]: [typeof one.spans, typeof one.spans] = [[], []]
      for (const span of one.spans) {
        if (!span.attributes.some(({ key }) => key === "eventbus.event")) others.push(span)
        // "Instrumentation libraries SHOULD NOT set the status code to Ok."
        else ours.push(span.status.code === 1 ? { ...span, status: { code: 0 } } : span)
      }
      return [
        ...(ours.length > 0 ? [{ scope, spans: ours }] : []),
        ...(others.length > 0 ? [{ ...one, spans: others }] : [])
      ]
    })
  }))
})

/** Writes nothing that would be dropped anyway. */
export const over = (
  written: OtlpSerialization.OtlpSerialization["Service"],
  full: () => boolean
): OtlpSerialization.OtlpSerialization["Service"] => ({
  traces: (data) => (full() ? HttpBody.empty : written.traces(tracesOf(data))),
  metrics: (data) => (full() ? HttpBody.empty : written.metrics(metricsOf(data))),
  logs: (data) => (full() ? HttpBody.empty : written.logs(data))
})
