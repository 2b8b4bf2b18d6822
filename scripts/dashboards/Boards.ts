/**
 * What the dashboards share: their variables, and how the values of several processes are aggregated.
 */
import type { AttributeName, Definition } from "../../src/observe/MetricDefinition.ts"
import * as Metrics from "../../src/observe/Metrics.ts"
import type { Target, Variable } from "./Panel.ts"
import { by, type Matchers, query, type Query, selecting, shows } from "./Query.ts"

/** Filters by the variables of the dashboard. A variable does not apply to metrics without its label. */
export const on = selecting([
  'job=~"$job"',
  'instance=~"$instance"',
  'eventbus_subscriber=~"$subscriber"',
  'eventbus_event=~"$event"'
])
export const everywhere = selecting()

const service = selecting(['job=~"$job"'])

export const job: Variable = {
  name: "job",
  label: "Service",
  from: query`${everywhere(Metrics.eventLoopLag)}`,
  values: "job"
}
export const instance: Variable = {
  name: "instance",
  label: "Process",
  from: query`${service(Metrics.eventLoopLag)}`,
  values: "instance"
}
export const subscriber: Variable = {
  name: "subscriber",
  label: "Subscriber",
  from: query`${service(Metrics.inFlight)}`,
  values: "eventbus_subscriber"
}
export const event: Variable = {
  name: "event",
  label: "Event",
  from: query`${service(Metrics.publishes)}`,
  values: "eventbus_event"
}

/** The rate of a counter per second, by an attribute. */
export const perSecond = (definition: Definition, attribute: AttributeName, matchers: Matchers = {}): Target => ({
  query: query`sum ${by(attribute)} (rate(${on(definition, matchers)}[$__rate_interval]))`,
  legend: shows(attribute)
})

/** The rate per second of a counter without attributes. */
export const perSecondOfAll = (definition: Definition, legend: string): Target => ({
  query: query`sum(rate(${on(definition)}[$__rate_interval]))`,
  legend
})

/** The sum over all processes, by an attribute. */
export const total = (definition: Definition, attribute: AttributeName, matchers: Matchers = {}): Target => ({
  query: query`sum ${by(attribute)} (${on(definition, matchers)})`,
  legend: shows(attribute)
})

/** The maximum over all processes, by an attribute: for gauges that all processes report alike. */
export const worst = (definition: Definition, attribute: AttributeName): Target => ({
  query: query`max ${by(attribute)} (${on(definition)})`,
  legend: shows(attribute)
})

export const percentile = (definition: Definition, share: number, matchers: Matchers = {}): Query =>
  query`histogram_quantile(${share}, sum ${by("le")} (rate(${on(definition, matchers, "_bucket")}[$__rate_interval])))`

export const percentiles = (definition: Definition, matchers: Matchers = {}): ReadonlyArray<Target> =>
  [0.5, 0.95, 0.99].map((share) => ({
    query: percentile(definition, share, matchers),
    legend: `${share * 100}th percentile`
  }))

export const percentileBy = (definition: Definition, share: number, attribute: AttributeName): Target => ({
  query: query`histogram_quantile(${share}, sum ${by(attribute, "le")} (rate(${on(definition, {}, "_bucket")}[$__rate_interval])))`,
  legend: shows(attribute)
})
