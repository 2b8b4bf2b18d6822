/** The JSON of data that a Standard Schema takes: what a publish puts on the wire. */
import * as Predicate from "effect/Predicate"

/** Where a value is none that JSON keeps, or nests deeper than it may. */
export interface NotJson {
  readonly at: ReadonlyArray<string>
  readonly isTooDeep: boolean
}

/** A copy of the data as JSON keeps it, without fields that are undefined. Classes, NaN and the like are refused. */
export const of = (data: unknown, maxDepth: number): { readonly json: unknown } | NotJson => {
  const refused = (isTooDeep: boolean): NotJson => ({ at: [], isTooDeep })
  if (data === null || Predicate.isString(data) || Predicate.isBoolean(data)) return { json: data }
  if (Predicate.isNumber(data)) return Number.isFinite(data) ? { json: data } : refused(false)
  if (!Predicate.isObjectOrArray(data)) return refused(false)
  if (!Array.isArray(data) && !isPlain(data)) return refused(false)
  if (maxDepth === 0) return refused(true)
  // With the holes of an array, which have no key of their own.
  const entries: ReadonlyArray<readonly [string, unknown]> = Array.isArray(data)
    ? Array.from(data, (item: unknown, i) => [String(i), item] as const)
    : Object.entries(data).filter(([, value]) => value !== undefined)
  const copied: Array<readonly [string, unknown]> = []
  for (const [key, value] of entries) {
    const below = of(value, maxDepth - 1)
    if (!("json" in below)) return { ...below, at: [key, ...below.at] }
    copied.push([key, below.json])
  }
  return { json: Array.isArray(data) ? copied.map(([, value]) => value) : Object.fromEntries(copied) }
}

const isPlain = (value: object): value is Readonly<Record<string, unknown>> => {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

/** The JSON without the fields that are not in the output; the same object if there are none. */
export const pruned = (json: unknown, output: unknown): unknown => {
  if (Array.isArray(json)) {
    if (!Array.isArray(output) || output.length !== json.length) return json
    const items: ReadonlyArray<unknown> = json
    const kept = items.map((item, i) => pruned(item, output[i]))
    return kept.every((item, i) => item === items[i]) ? json : kept
  }
  if (!Predicate.isObject(json) || !Predicate.isObject(output) || !isPlain(output)) return json
  const entries = Object.entries(json)
  const kept = entries
    .filter(([name]) => Object.hasOwn(output, name))
    .map(([name, value]) => [name, pruned(value, output[name])] as const)
  return kept.length === entries.length && kept.every(([name, value]) => value === json[name])
    ? json
    : Object.fromEntries(kept)
}
