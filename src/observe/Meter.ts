/**
 * Where the figures are kept. A series is a cell that is found once, when a contract or subscriber is
 * made; to count is to add to a number, and whoever reads Effect's registry (a scrape, an export, a test)
 * reads the cells. Levels that live elsewhere, such as what is in flight, are asked when they are read.
 *
 * Two buses of one process share the cells of the same name and attributes, and their levels are added
 * up; of a gauge the highest counts. Counts stay when their bus is gone, levels go with it.
 */
import { Context, Metric } from "effect"
import type { AttributeName, Definition } from "./Definition.ts"

export type Attributes = Readonly<Partial<Record<AttributeName, string>>>

/** A series. */
export interface Bound {
  /** Adds to a counter, sets a gauge, or is one observation of a histogram. */
  readonly update: (value: number) => void
}

interface Cell extends Bound {
  /** Those who tell a part of it, each for a bus. */
  readonly readers: Set<() => number>
  readonly remove: () => void
}

const registries = new WeakMap<object, Map<string, Cell>>()

/** As Effect knows it: a way to read it. */
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
  const { get, update } = kept(definition, readers)
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

const told = (readers: ReadonlySet<() => number>): number => {
  let sum = 0
  for (const read of readers) sum += read()
  return sum
}

/** Who looks at the same thing from two places must not see it twice. */
const highest = (readers: ReadonlySet<() => number>): number => {
  let most = Number.NEGATIVE_INFINITY
  for (const read of readers) most = Math.max(most, read())
  return most
}

/** What a cell remembers, and how Effect reads it. */
const kept = (definition: Definition, readers: ReadonlySet<() => number>): { get: () => unknown } & Bound => {
  let value = 0
  switch (definition.kind) {
    case "counter":
      return {
        get: () => ({ count: value + told(readers), incremental: true }),
        update: (more) => {
          value += more
        }
      }
    case "gauge":
    case "updowncounter":
      return {
        get: () => ({
          value: readers.size === 0 ? value : definition.kind === "gauge" ? highest(readers) : told(readers)
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
      // Most are short: from below it is found soon.
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

/** A series by its attributes. It is there from now on, with 0 while nothing happened. */
export const bind = (definition: Definition, context: Context.Context<never>, attributes: Attributes = {}): Bound =>
  cellOf(definition, context, attributes)

/** At most so many values of an attribute whose values are not ours, such as the tags of handlers' errors. */
const maxVarying = 50
const otherwise = "_OTHER"

/** Series by an attribute whose values are few and known late, such as an outcome. */
export const bindBy = (
  definition: Definition,
  context: Context.Context<never>,
  attributes: Attributes,
  varying: AttributeName
): ((value: string) => Bound) => {
  const known = new Map<string, Bound>()
  return (wanted) => {
    const found = known.get(wanted)
    if (found !== undefined) return found
    const value = known.size < maxVarying ? wanted : otherwise
    const made = bind(definition, context, { ...attributes, [varying]: value })
    if (value === wanted) known.set(value, made)
    return made
  }
}

/**
 * A level, or a total, that lives elsewhere and is asked whenever it is read; answers a way to stop that.
 * Several who tell the same series are added up.
 */
export const observe = (
  definition: Definition,
  context: Context.Context<never>,
  attributes: Attributes,
  read: () => number
): (() => void) => {
  const cell = cellOf(definition, context, attributes)
  const reader = (): number => {
    // Telemetry that throws changes nothing (P18).
    try {
      return read()
    } catch {
      return 0
    }
  }
  cell.readers.add(reader)
  return () => {
    if (!cell.readers.delete(reader)) return
    // A total stays what it was; a level is gone with who had it.
    if (definition.kind === "counter") cell.update(reader())
    else if (cell.readers.size === 0) cell.remove()
  }
}
