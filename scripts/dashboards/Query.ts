/**
 * Queries for Prometheus that can only name what exists: metrics by their definitions, and labels by the attributes of
 * the metric. All other words in a query must be PromQL's own. A renamed or removed metric is therefore a type error,
 * never a panel without data.
 */
import {
  type AttributeName,
  type Definition,
  prometheusLabel,
  prometheusName
} from "../../src/observe/MetricDefinition.ts"
import type { Foreign } from "./Foreign.ts"

/** The value that an attribute must have, or an array for one of several; `not` negates it. */
export type Wanted = string | ReadonlyArray<string> | { readonly not: string | ReadonlyArray<string> }
export type Matchers = { readonly [Name in AttributeName]?: Wanted }

/** One selector of a query, for example `eventbus_subscriber_lag{eventbus_subscriber="a"}`. */
export interface Series {
  readonly _tag: "Series"
  readonly selector: string
  readonly labels: ReadonlyArray<string>
}

/** `by (…)`, with the labels that the grouped metrics must have. */
export interface Grouping {
  readonly _tag: "Grouping"
  readonly text: string
  readonly labels: ReadonlyArray<string>
}

/** A number, a window in brackets, or an offset. */
export interface Literal {
  readonly _tag: "Literal"
  readonly text: string
}

export interface Query {
  readonly _tag: "Query"
  readonly expr: string
  /** Every selector in it. */
  readonly selectors: ReadonlyArray<string>
}

/** Labels that Prometheus adds to every series, and the bound of a bucket. */
const scraped = ["job", "instance", "le"]

const matcher = (label: string, wanted: Wanted): string => {
  const [negated, values] =
    typeof wanted === "object" && "not" in wanted ? ["!", [wanted.not].flat()] : ["", [wanted].flat()]
  const [only, ...others] = values
  if (only === undefined) throw new Error(`no value for ${label}`)
  return others.length === 0
    ? `${label}${negated === "" ? "=" : "!="}${JSON.stringify(only)}`
    : `${label}${negated === "" ? "=~" : "!~"}${JSON.stringify(values.join("|"))}`
}

const isForeign = (definition: Definition | Foreign): definition is Foreign => "exporter" in definition

/** A function that makes selectors with common matchers: those of the variables of a dashboard, or none. */
export const selecting =
  (common: ReadonlyArray<string> = []) =>
  (
    definition: Definition | Foreign,
    matchers: Matchers = {},
    part: "" | "_bucket" | "_sum" | "_count" = ""
  ): Series => {
    const isHistogram = definition.kind === "histogram"
    const name = isForeign(definition) ? definition.name : prometheusName(definition)
    if (isHistogram !== (part !== "")) throw new Error(`${name} is ${isHistogram ? "a" : "not a"} histogram`)
    const own = isForeign(definition) ? definition.labels : definition.attributes.map(prometheusLabel)
    // A variable of the dashboard does not apply if this metric does not have its label.
    const labels = [...own, "job", "instance", ...(part === "_bucket" ? ["le"] : [])]
    const ofBoard = common.filter((text) => labels.includes(text.replace(/[=!~].*$/, "")))
    const given = Object.entries(matchers).map(([attribute, wanted]) => {
      const label = prometheusLabel(attribute)
      if (!labels.includes(label)) throw new Error(`${name} has no ${attribute}`)
      return matcher(label, wanted)
    })
    const inside = [...ofBoard, ...given].join(",")
    return { _tag: "Series", selector: `${name}${part}${inside === "" ? "" : `{${inside}}`}`, labels }
  }

/** `by (…)` over attributes and over labels that Prometheus adds. */
export const by = (...names: ReadonlyArray<AttributeName | "job" | "instance" | "le">): Grouping => {
  const labels = names.map(prometheusLabel)
  return {
    _tag: "Grouping",
    text: `by (${labels.join(", ")})`,
    labels: labels.filter((name) => !scraped.includes(name))
  }
}

/** The same over labels of a foreign metric. */
export const byForeign = (...labels: ReadonlyArray<string>): Grouping => ({
  _tag: "Grouping",
  text: `by (${labels.join(", ")})`,
  labels
})

export const literal = (text: string): Literal => ({ _tag: "Literal", text })

const words = new Set(
  [
    ["sum", "max", "min", "avg", "count", "topk", "rate", "increase", "delta", "histogram_quantile", "clamp_min"],
    ["max_over_time", "time", "vector", "and", "or", "unless", "on", "ignoring", "bool", "offset"],
    scraped,
    // Variables of Grafana: an interval with enough scrapes, and the selected time range.
    ["__rate_interval", "__range"]
  ].flat()
)

/** Throws if the text between the parts of a query names anything but words of PromQL. */
const checkWords = (text: string): void => {
  if (/[{}"'`]/.test(text)) throw new Error(`the text contains a handwritten selector: ${text}`)
  for (const [name] of text.matchAll(/[A-Za-z_][A-Za-z0-9_:]*/g)) {
    // A duration is a number followed by letters.
    if (!words.has(name) && !new RegExp(`\\d${name}(?![A-Za-z0-9_])`).test(text)) {
      throw new Error(`${name} is not a word of PromQL that these queries use: ${text}`)
    }
  }
}

/** A query of text and its named parts. */
export const query = (
  text: TemplateStringsArray,
  ...parts: ReadonlyArray<Series | Query | Grouping | Literal | number>
): Query => {
  for (const piece of text) checkWords(piece)
  const series = parts.flatMap((part) => (typeof part === "object" && part._tag === "Series" ? [part] : []))
  for (const part of parts) {
    if (typeof part === "number" || part._tag !== "Grouping") continue
    for (const label of part.labels) {
      const without = series.find(({ labels }) => !labels.includes(label))
      if (without !== undefined) throw new Error(`${without.selector} has no ${label} to group by`)
    }
  }
  const shown = parts.map((part) => {
    if (typeof part === "number") return String(part)
    if (part._tag === "Series") return part.selector
    return part._tag === "Query" ? part.expr : part.text
  })
  return {
    _tag: "Query",
    expr: text.map((piece, i) => piece + (shown[i] ?? "")).join(""),
    selectors: parts.flatMap((part) => {
      if (typeof part === "number") return []
      return part._tag === "Series" ? [part.selector] : part._tag === "Query" ? part.selectors : []
    })
  }
}

/** The value of an attribute in a legend. */
export const shows = (name: AttributeName): string => `{{${prometheusLabel(name)}}}`
