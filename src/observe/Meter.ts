/**
 * The values of metrics. A series is a cell that is looked up once, when a contract or a subscriber is created, so that
 * counting is an addition. Every reader of Effect's registry (a scrape, an export, a test) reads the cells. Values that
 * live elsewhere, such as the number of events in flight, are observed whenever the metric is read.
 *
 * Two buses in one process share the cells of the same name and attributes: their observed values are summed, except
 * that a gauge reports the highest. When a bus closes, its counts stay and its observed values go.
 */
import * as Context from "effect/Context"
import * as Metric from "effect/Metric"
import type { AttributeName, Definition } from "./MetricDefinition.ts"

export type Attributes = Readonly<Partial<Record<AttributeName, string>>>

/** One metric with one set of attributes. */
export interface Series {
  /** Adds to a counter, sets a gauge, or adds one observation to a histogram. */
  readonly update: (value: number) => void
}

interface Cell extends Series {
  /** Functions that report a part of the value, one for each bus. */
  readonly readers: Set<() => number>
  readonly remove: () => void
}

const registries = new WeakMap<object, Map<string, Cell>>()

/** The metric of Effect for a definition. */
export const metric = (definition: Definition): Metric.Metric<number, unknown> => {
  const { description, name } = definition
  switch (definition.kind) {
    case "counter":
      return Metric.counter(name, { description, incremental: true })
    case "histogram":
      return Metric.histogram(name, { description, boundaries: definition.boundaries })
    case "gauge":
    case "updowncounter":
      return Metric.gauge(name, { description })
  }
}

const cellOf = (definition: Definition, context: Context.Context<never>, attributes: Attributes): Cell => {
  const registry = Context.get(context, Metric.MetricRegistry)
  let cells = registries.get(registry)
  if (cells === undefined) registries.set(registry, (cells = new Map<string, Cell>()))
  const known = cells
  const all = { ...Context.get(context, Metric.CurrentMetricAttributes), ...attributes }
  const key = JSON.stringify([
    definition.name,
    Object.entries(all).toSorted(([one], [other]) => (one < other ? -1 : 1))
  ])
  const found = known.get(key)
  if (found !== undefined) return found
  const readers = new Set<() => number>()
  const { get, update } = makeState(definition, readers)
  const registration = Metric.registerUnsafe(Metric.withAttributes(metric(definition), { ...attributes }), context, {
    get,
    update,
    modify: update
  })
  const cell: Cell = {
    readers,
    update,
    remove: () => {
      known.delete(key)
      registration.remove()
    }
  }
  known.set(key, cell)
  return cell
}

const sumOf = (readers: ReadonlySet<() => number>): number => {
  let sum = 0
  for (const read of readers) sum += read()
  return sum
}

/** Observers of the same thing must not count it twice. */
const highest = (readers: ReadonlySet<() => number>): number => {
  let max = Number.NEGATIVE_INFINITY
  for (const read of readers) max = Math.max(max, read())
  return max
}

/** The state of a cell, and how Effect reads it. */
const makeState = (definition: Definition, readers: ReadonlySet<() => number>): { get: () => unknown } & Series => {
  let value = 0
  switch (definition.kind) {
    case "counter":
      return {
        get: () => ({ count: value + sumOf(readers), incremental: true }),
        update: (added) => {
          value += added
        }
      }
    case "gauge":
    case "updowncounter":
      return {
        get: () => ({
          value: readers.size === 0 ? value : definition.kind === "gauge" ? highest(readers) : sumOf(readers)
        }),
        update: (next) => {
          value = next
        }
      }
    case "histogram":
      return distribution(definition.boundaries)
  }
}

const distribution = (boundaries: ReadonlyArray<number>) => {
  const counts = new Float64Array(boundaries.length + 1)
  let count = 0
  let sum = 0
  let min = Number.POSITIVE_INFINITY
  let max = Number.NEGATIVE_INFINITY
  return {
    get: () => {
      let below = 0
      const buckets = boundaries.map((boundary, i): [number, number] => [boundary, (below += counts[i] ?? 0)])
      return { buckets, count, sum, min, max }
    },
    update: (value: number) => {
      // Most durations are short, so the search starts at the lowest bucket.
      let at = 0
      while (at < boundaries.length && value > (boundaries[at] ?? 0)) at++
      counts[at] = (counts[at] ?? 0) + 1
      count++
      sum += value
      if (value < min) min = value
      if (value > max) max = value
    }
  }
}

/** The series with these attributes. It exists from now on, and is 0 until something is counted. */
export const series = (definition: Definition, context: Context.Context<never>, attributes: Attributes = {}): Series =>
  cellOf(definition, context, attributes)

/** Most values of an attribute whose values come from outside, such as the tags of handlers' errors. */
const maxValues = 50
/** By OpenTelemetry's convention for `error.type`. */
const otherValue = "_OTHER"

/** Series by the value of one attribute, for values that are few and not known in advance, such as an outcome. */
export const seriesBy = (
  definition: Definition,
  context: Context.Context<never>,
  attributes: Attributes,
  varying: AttributeName
): ((value: string) => Series) => {
  const known = new Map<string, Series>()
  return (wanted) => {
    const found = known.get(wanted)
    if (found !== undefined) return found
    const value = known.size < maxValues ? wanted : otherValue
    const made = series(definition, context, { ...attributes, [varying]: value })
    if (value === wanted) known.set(value, made)
    return made
  }
}

/**
 * Observes a value that lives elsewhere whenever the metric is read. Returns a function that ends the observation.
 * Several observations of one series are summed.
 */
export const observe = (
  definition: Definition,
  context: Context.Context<never>,
  attributes: Attributes,
  read: () => number
): (() => void) => {
  const cell = cellOf(definition, context, attributes)
  const reader = (): number => {
    // Telemetry changes nothing: an observation that throws must not break a scrape.
    try {
      return read()
    } catch {
      return 0
    }
  }
  cell.readers.add(reader)
  return () => {
    if (!cell.readers.delete(reader)) return
    // Counters keep their total; gauges are removed with their last observer.
    if (definition.kind === "counter") cell.update(reader())
    else if (cell.readers.size === 0) cell.remove()
  }
}
