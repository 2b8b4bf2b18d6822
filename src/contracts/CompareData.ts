/** Compares the data of one version: what old subscribers meet, and what new ones meet of what was published before. */
import * as Bounds from "./Bounds.ts"
import { Comparison, type Gap, type Pair } from "./Covers.ts"
import * as Finding from "./Finding.ts"
import * as Path from "./Path.ts"
import * as Shape from "./Shape.ts"
import type { Version } from "./Snapshot.ts"

export interface Place {
  readonly event: string
  readonly version: number
  /** Whether nobody publishes this version any more, so that it only has to be read. */
  readonly isPast?: boolean
}

export const compare = (before: Version, after: Version, place: Place): ReadonlyArray<Finding.Finding> => {
  const [old, next] = [Shape.document(before.schema), Shape.document(after.schema)]
  const backward = new Comparison(old, next)
  backward.compare(before.schema, after.schema, "")
  const forward = new Comparison(next, old)
  forward.compare(after.schema, before.schema, "")
  const paths = new Set([...backward.paths].filter((path) => forward.paths.has(path)))
  const narrowed = [...backward.gaps, ...checkGaps(before, after, paths)]
  const widened = [...forward.gaps, ...checkGaps(after, before, paths)]
  const renames = backward.pairs.flatMap((pair) => renamesIn(pair, before, after))
  const given = place.isPast === true ? { affected: ["new" as const] } : {}
  const found = [
    ...renames.map(({ from, to }) => Finding.make("field-renamed", { ...place, field: from, after: to })),
    ...findingsOf(place, narrowed, place.isPast === true ? [] : widened).map((one) => ({ ...one, ...given })),
    ...(place.isPast === true ? [] : backward.pairs.flatMap((pair) => droppedIn(pair, place)))
  ]
  const renamed = new Set(renames.flatMap(({ from, to }) => [from, to]))
  return found.filter(
    ({ field, rule }) =>
      rule === "field-renamed" || ![...renamed].some((path) => field === path || field.startsWith(`${path}.`))
  )
}

/** Checks that JSON Schema does not have, at places that both schemas have. */
const checkGaps = (writer: Version, reader: Version, paths: ReadonlySet<string>): ReadonlyArray<Gap> =>
  [...paths].flatMap((path) => {
    const [given, asked] = [writer.checks[path] ?? [], reader.checks[path] ?? []]
    return Bounds.missing(given, asked).map((text): Gap => ({
      path,
      kind: "check",
      writer: given.join(", "),
      reader: text
    }))
  })

const findingsOf = (
  place: Place,
  narrowed: ReadonlyArray<Gap>,
  widened: ReadonlyArray<Gap>
): ReadonlyArray<Finding.Finding> => {
  const found = new Map<string, Finding.Finding>()
  const add = (rule: Finding.Rule, { path }: Gap, before: string, after: string): void => {
    const key = `${rule} ${path} ${rule.startsWith("value-") ? before + after : ""}`
    if (!found.has(key)) found.set(key, Finding.make(rule, { ...place, field: path, before, after }))
  }
  const typed = new Set([...narrowed, ...widened].filter(({ kind }) => kind === "type").map(({ path }) => path))
  const other = (gaps: ReadonlyArray<Gap>, { kind, path }: Gap): Gap | undefined =>
    gaps.find((gap) => gap.path === path && gap.kind === kind)
  for (const gap of narrowed) {
    const back = other(widened, gap)
    if (gap.kind === "absent") add("field-added", gap, "", "")
    if (gap.kind === "maybe-absent") add("field-required", gap, "", "")
    if (gap.kind === "type") add(back === undefined ? "type-narrowed" : "type-changed", gap, gap.writer, gap.reader)
    if (typed.has(gap.path)) continue
    if (gap.kind === "value") add("value-removed", gap, gap.writer, gap.reader)
    if (gap.kind === "variant") add("variant-removed", gap, gap.writer, "")
    if (gap.kind === "check")
      add(back === undefined ? "check-tightened" : "check-changed", gap, back?.reader ?? "", gap.reader)
  }
  for (const gap of widened) {
    const back = other(narrowed, gap)
    if (gap.kind === "absent") add("field-removed", gap, "", "")
    if (gap.kind === "maybe-absent") add("field-optional", gap, "", "")
    if (gap.kind === "type" && back === undefined) add("type-widened", gap, gap.reader, gap.writer)
    if (typed.has(gap.path)) continue
    if (gap.kind === "value") add("value-added", gap, gap.reader, gap.writer)
    if (gap.kind === "variant") add("variant-added", gap, "", gap.writer)
    if (gap.kind === "check" && back === undefined) add("check-loosened", gap, gap.reader, gap.writer)
  }
  return [...found.values()]
}

/** Fields of a place that left and came, in this order. */
const leftAndCame = ({ reader, writer }: Pair): readonly [ReadonlyArray<string>, ReadonlyArray<string>] => [
  Object.keys(writer.properties).filter((name) => reader.properties[name] === undefined),
  Object.keys(reader.properties).filter((name) => writer.properties[name] === undefined)
]

/** A field that left while one of the same type came, and no other could be meant. */
const renamesIn = (pair: Pair, before: Version, after: Version) => {
  const { path, reader, writer } = pair
  const [left, came] = leftAndCame(pair)
  const isSame = (from: string, to: string): boolean => {
    if (writer.required.has(from) !== reader.required.has(to)) return false
    const [old, next] = [Shape.document(before.schema), Shape.document(after.schema)]
    const there = new Comparison(old, next)
    there.compare(writer.properties[from], reader.properties[to], "")
    const back = new Comparison(next, old)
    back.compare(reader.properties[to], writer.properties[from], "")
    return there.gaps.length === 0 && back.gaps.length === 0
  }
  return left.flatMap((from) => {
    const [to, ...more] = came.filter((name) => isSame(from, name))
    if (to === undefined || more.length > 0) return []
    const rivals = left.filter((name) => isSame(name, to))
    return rivals.length > 1 ? [] : [{ from: Path.field(path, from), to: Path.field(path, to) }]
  })
}

const droppedIn = (pair: Pair, place: Place): ReadonlyArray<Finding.Finding> =>
  leftAndCame(pair)[0]
    .filter((name) => !pair.writer.required.has(name))
    .map((name) => Finding.make("field-dropped", { ...place, field: Path.field(pair.path, name) }))
