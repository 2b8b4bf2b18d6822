/**
 * Adapts what Effect exports to OpenTelemetry's conventions: units, kinds and integers as the metrics are declared,
 * an instrumentation scope of our own, a span status only for failures, and no credentials.
 */
import type * as OtlpMetrics from "effect/observability/OtlpMetrics"
import type * as OtlpSerialization from "effect/observability/OtlpSerialization"
import type * as OtlpTracer from "effect/observability/OtlpTracer"
import * as HttpBody from "effect/http/HttpBody"
import * as Predicate from "effect/Predicate"
import { library } from "../../bus/send/Diagnosis.ts"
import type { Definition } from "../../observe/MetricDefinition.ts"
import * as Metrics from "../../observe/Metrics.ts"
import type { Redaction } from "../../observe/Redaction.ts"

const [scopeName = "", scopeVersion = ""] = library.split(" ")
const scope = { name: scopeName, version: scopeVersion }

type ScopeMetrics = OtlpMetrics.MetricsData["resourceMetrics"][number]["scopeMetrics"][number]
type Metric = ScopeMetrics["metrics"][number]
type Gauge = NonNullable<Metric["gauge"]>
type Sum = NonNullable<Metric["sum"]>
type Point = Gauge["dataPoints"][number]

const definitions: ReadonlyMap<string, Definition> = new Map(
  Metrics.all.map((definition) => [definition.name, definition])
)
/** `AGGREGATION_TEMPORALITY_CUMULATIVE` of OTLP. */
const cumulative = 2

/** Effect exports units as attributes. */
const withoutUnits = <P extends { readonly attributes?: ReadonlyArray<{ readonly key: string }> }>(point: P): P => ({
  ...point,
  attributes: (point.attributes ?? []).filter(({ key }) => key !== "unit" && key !== "time_unit")
})

/** Counts are integers, measurements are not. */
const asDeclared = (unit: string, point: Point): Point => {
  const { asDouble, ...rest } = withoutUnits(point)
  return typeof asDouble === "number" && unit.startsWith("{")
    ? { ...rest, asInt: Math.round(asDouble) }
    : { ...rest, ...(asDouble !== undefined && { asDouble }) }
}

const ourMetric = (metric: Metric, { description, kind, unit }: Definition): Metric => {
  const described = { name: metric.name, description, unit }
  const points = (metric.sum ?? metric.gauge)?.dataPoints.map((point) => asDeclared(unit, point)) ?? []
  switch (kind) {
    case "counter": {
      // Effect does not export the enumeration; these are its numbers.
      const aggregationTemporality = (metric.sum?.aggregationTemporality ?? cumulative) as Sum["aggregationTemporality"]
      return { ...described, sum: { aggregationTemporality, isMonotonic: true, dataPoints: points } }
    }
    case "updowncounter":
      return { ...described, sum: { aggregationTemporality: cumulative, isMonotonic: false, dataPoints: points } }
    case "gauge":
      return { ...described, gauge: { dataPoints: points } }
    case "histogram": {
      if (metric.histogram === undefined) return { ...metric, ...described }
      const dataPoints = metric.histogram.dataPoints.map((point) => {
        const { max, min, ...rest } = withoutUnits(point)
        return rest.count === 0
          ? rest
          : { ...rest, ...(min !== undefined && { min }), ...(max !== undefined && { max }) }
      })
      return { ...described, histogram: { ...metric.histogram, dataPoints } }
    }
  }
}

const foreignMetric = (metric: Metric): Metric => ({
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
    scopeMetrics: scopeMetrics.flatMap((scoped) => {
      const ours: Array<Metric> = []
      const others: Array<Metric> = []
      for (const metric of scoped.metrics) {
        const definition = definitions.get(metric.name)
        if (definition === undefined) others.push(foreignMetric(metric))
        else ours.push(ourMetric(metric, definition))
      }
      return [
        ...(ours.length > 0 ? [{ scope, metrics: ours }] : []),
        ...(others.length > 0 ? [{ ...scoped, metrics: others }] : [])
      ]
    })
  }))
})

type Span = OtlpTracer.TraceData["resourceSpans"][number]["scopeSpans"][number]["spans"][number]

/** The same array when there is nothing to redact: most have nothing. */
const redactAttributes = (attributes: Span["attributes"], redaction: Redaction): Span["attributes"] => {
  let shown: Span["attributes"] | undefined
  attributes.forEach(({ key, value: { stringValue } }, i) => {
    if (!Predicate.isString(stringValue)) return
    const text = redaction.textField(key, stringValue)
    if (text !== stringValue) (shown ??= [...attributes])[i] = { key, value: { stringValue: text } }
  })
  return shown ?? attributes
}

/** A span without credentials in its attributes, and in the errors that it recorded. */
const redactSpan = (span: Span, redaction: Redaction): Span => {
  const attributes = redactAttributes(span.attributes, redaction)
  if (attributes === span.attributes && span.events.length === 0 && span.status.message === undefined) return span
  const events = span.events.map((event) => ({
    ...event,
    name: redaction.textField("name", event.name),
    attributes: redactAttributes(event.attributes, redaction)
  }))
  const { message } = span.status
  const status =
    message === undefined ? span.status : { ...span.status, message: redaction.textField("message", message) }
  return { ...span, attributes, events, status }
}

const tracesOf = (data: OtlpTracer.TraceData, redaction: Redaction): OtlpTracer.TraceData => ({
  resourceSpans: data.resourceSpans.map(({ scopeSpans, ...resource }) => ({
    ...resource,
    scopeSpans: scopeSpans.flatMap((scoped) => {
      const [ours, others]: [typeof scoped.spans, typeof scoped.spans] = [[], []]
      for (const whole of scoped.spans) {
        const span = redactSpan(whole, redaction)
        if (!span.attributes.some(({ key }) => key === "eventbus.event")) others.push(span)
        // "Instrumentation libraries SHOULD NOT set the status code to Ok."
        else ours.push(span.status.code === 1 ? { ...span, status: { code: 0 } } : span)
      }
      return [
        ...(ours.length > 0 ? [{ scope, spans: ours }] : []),
        ...(others.length > 0 ? [{ ...scoped, spans: others }] : [])
      ]
    })
  }))
})

/** A serialization that follows the conventions, and encodes nothing that would be dropped anyway. */
export const applyTo = (
  serialization: OtlpSerialization.OtlpSerialization["Service"],
  redaction: Redaction,
  isFull: () => boolean
): OtlpSerialization.OtlpSerialization["Service"] => ({
  traces: (data) => (isFull() ? HttpBody.empty : serialization.traces(tracesOf(data, redaction))),
  metrics: (data) => (isFull() ? HttpBody.empty : serialization.metrics(metricsOf(data))),
  logs: (data) => (isFull() ? HttpBody.empty : serialization.logs(data))
})
