/**
 * What the dashboards have in common: which variables they offer, and how a figure that every process
 * tells, or each for itself, becomes one.
 */
import type { AttributeName, Definition } from "../../src/observe/Definition.ts"
import * as Metrics from "../../src/observe/Metrics.ts"
import type { Target, Variable } from "./Panel.ts"
import { by, type Matchers, query, type Query, selecting, shows } from "./Query.ts"

/** Selects what the variables of the dashboard say; a metric without that label is not concerned. */
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

/** How many a second. */
export const perSecond = (definition: Definition, attribute: AttributeName, matchers: Matchers = {}): Target => ({
  query: query`sum ${by(attribute)} (rate(${on(definition, matchers)}[$__rate_interval]))`,
  legend: shows(attribute)
})

/** Of a counter without attributes. */
export const perSecondOfAll = (definition: Definition, legend: string): Target => ({
  query: query`sum(rate(${on(definition)}[$__rate_interval]))`,
  legend
})

/** A level of each process, added up. */
export const total = (definition: Definition, attribute: AttributeName, matchers: Matchers = {}): Target => ({
  query: query`sum ${by(attribute)} (${on(definition, matchers)})`,
  legend: shows(attribute)
})

/** A level of which the worst counts, or that each process tells the same. */
export const worst = (definition: Definition, attribute: AttributeName): Target => ({
  query: query`max ${by(attribute)} (${on(definition)})`,
  legend: shows(attribute)
})

export const percentile = (definition: Definition, share: number, matchers: Matchers = {}): Query =>
  query`histogram_quantile(${share}, sum ${by("le")} (rate(${on(definition, matchers, "_bucket")}[$__rate_interval])))`

export const percentiles = (definition: Definition, matchers: Matchers = {}): ReadonlyArray<Target> =>
  [0.5, 0.95, 0.99].map((share) => ({
    query: percentile(definition, share, matchers),
    legend: `${share * 100} % within`
  }))

export const percentileBy = (definition: Definition, share: number, attribute: AttributeName): Target => ({
  query: query`histogram_quantile(${share}, sum ${by(attribute, "le")} (rate(${on(definition, {}, "_bucket")}[$__rate_interval])))`,
  legend: shows(attribute)
})
