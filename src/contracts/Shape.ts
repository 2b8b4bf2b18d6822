/** A JSON Schema as alternatives of one type each: unions are flat, references are followed, literals stand alone. */
import * as Predicate from "effect/Predicate"
import * as Bounds from "./Bounds.ts"
import * as Path from "./Path.ts"

export type Json = Readonly<Record<string, unknown>>

export interface Literal {
  readonly kind: "literal"
  readonly type: string
  readonly value: unknown
}
export interface Text {
  readonly kind: "string"
  readonly type: "string"
  /** With the keywords that are compared elsewhere. */
  readonly source: Json
  readonly patterns: ReadonlyArray<string>
}
export interface Numeric {
  readonly kind: "number"
  readonly type: "number"
  readonly isInteger: boolean
  readonly bounds: ReadonlyArray<string>
  readonly steps: ReadonlyArray<number>
}
export interface List {
  readonly kind: "array"
  readonly type: "array"
  /** What tells this schema from others, in a recursion. */
  readonly source: Json
  readonly first: ReadonlyArray<Json>
  /** Of all behind the first ones; undefined is anything. */
  readonly items: Json | undefined
  readonly minItems: number
  readonly maxItems: number
  readonly isUnique: boolean
}
export interface Fields {
  readonly kind: "object"
  readonly type: "object"
  readonly source: Json
  readonly properties: Readonly<Record<string, Json>>
  readonly required: ReadonlySet<string>
  /** Of all other keys; undefined is anything, which is not read, and `false` is none. */
  readonly others: Json | false | undefined
  readonly patterns: Readonly<Record<string, Json>>
  readonly bounds: ReadonlyArray<string>
  /** The fields with one value only. */
  readonly literals: ReadonlyMap<string, unknown>
}
export type Alternative = { readonly kind: "any"; readonly type: "any" } | Literal | Text | Numeric | List | Fields

export interface Document {
  readonly definitions: Json
  readonly shapes: Map<unknown, ReadonlyArray<Alternative>>
}

export const document = (schema: Json): Document => ({
  definitions: objectOf(schema["$defs"]),
  shapes: new Map()
})

const any: Alternative = { kind: "any", type: "any" }

const objectOf = (value: unknown): Json => (Predicate.isObject(value) ? { ...value } : {})
const listOf = (value: unknown): ReadonlyArray<unknown> => (Array.isArray(value) ? value : [])
const numberOf = (value: unknown, otherwise: number): number => (Predicate.isNumber(value) ? value : otherwise)

/** The alternatives of a schema. Equal schemas of one document give the same objects. */
export const of = (schema: unknown, document: Document): ReadonlyArray<Alternative> => {
  const known = document.shapes.get(schema)
  if (known !== undefined) return known
  const shape = alternativesOf(schema, document)
  document.shapes.set(schema, shape)
  return shape
}

const alternativesOf = (given: unknown, document: Document): ReadonlyArray<Alternative> => {
  if (given === false) return []
  if (!Predicate.isObject(given)) return [any]
  const schema: Json = { ...given }
  if (schema["$ref"] !== undefined && Object.keys(schema).filter((key) => key !== "$defs").length === 1)
    return of(resolve(schema, document), document)
  const parts = listOf(schema["allOf"])
  if (parts.length > 0 || schema["$ref"] !== undefined) {
    const { $ref, allOf: _, ...own } = schema
    const whole = [...($ref === undefined ? [] : [{ $ref }]), ...parts].reduce<Json>(
      (merged, part) => merge(merged, objectOf(part), document),
      own
    )
    return alternativesOf(whole, document)
  }
  const union = schema["anyOf"] ?? schema["oneOf"]
  if (union !== undefined) {
    const { anyOf: _, oneOf: __, $defs: ___, ...rest } = schema
    const isPlain = Object.keys(rest).length === 0
    return listOf(union).flatMap((member) =>
      isPlain ? of(member, document) : alternativesOf(merge(objectOf(member), rest, document), document)
    )
  }
  if (schema["const"] !== undefined) return [literal(schema["const"])]
  if (schema["enum"] !== undefined) return listOf(schema["enum"]).map(literal)
  if (schema["not"] !== undefined) return []
  const types = listOf(schema["type"] === undefined ? [] : [schema["type"]].flat())
  return types.length === 0 ? [any] : types.flatMap((type) => ofType(String(type), schema, given, document))
}

const resolve = (schema: Json, { definitions }: Document): unknown =>
  definitions[
    decodeURIComponent(String(schema["$ref"]).replace("#/$defs/", "")).replaceAll("~1", "/").replaceAll("~0", "~")
  ]

/** Both schemas at once. */
const merge = (a: Json, b: Json, document: Document): Json => {
  const [left, right] = [a, b].map((one) => {
    const { $ref, ...rest } = one
    return $ref === undefined ? one : { ...objectOf(resolve(one, document)), ...rest }
  })
  const merged: Record<string, unknown> = { ...left }
  for (const [key, value] of Object.entries(right ?? {})) {
    const known = merged[key]
    if (known === undefined) merged[key] = value
    else if (key === "properties" || key === "patternProperties")
      merged[key] = { ...objectOf(known), ...objectOf(value) }
    else if (key === "required" || key === "pattern") merged[key] = [known, value].flat()
    else if (key === "additionalProperties") merged[key] = known === true ? value : known
    else if (Predicate.isNumber(known) && Predicate.isNumber(value))
      merged[key] = key.startsWith("max") || key.endsWith("Maximum") ? Math.min(known, value) : Math.max(known, value)
  }
  return merged
}

const literal = (value: unknown): Literal => ({
  kind: "literal",
  type: value === null ? "null" : typeof value,
  value
})

const ofType = (type: string, schema: Json, source: Json, document: Document): ReadonlyArray<Alternative> => {
  switch (type) {
    case "null":
      return [literal(null)]
    case "boolean":
      return [literal(true), literal(false)]
    case "string":
      return [{ kind: "string", type, source: schema, patterns: [schema["pattern"] ?? []].flat().map(String) }]
    case "number":
    case "integer":
      return [numeric(schema, type === "integer")]
    case "array":
      return [list(schema, source)]
    case "object":
      return [fields(schema, source, document)]
    default:
      return [any]
  }
}

const boundsOf = (schema: Json, names: ReadonlyArray<string>): ReadonlyArray<string> =>
  names.flatMap((name) => {
    const value = schema[name]
    return value === undefined ? [] : [`${name} ${Predicate.isObject(value) ? JSON.stringify(value) : String(value)}`]
  })

const numeric = (schema: Json, isInteger: boolean): Numeric => {
  const names = ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"]
  // Of integers a bound that is excluded is the next one that is included.
  const written = boundsOf(schema, names).map((text) => {
    const [name = "", value = ""] = text.split(" ")
    if (!isInteger || !name.startsWith("exclusive") || !Number.isSafeInteger(Number(value))) return text
    return name === "exclusiveMinimum" ? `minimum ${Number(value) + 1}` : `maximum ${Number(value) - 1}`
  })
  const steps = schema["multipleOf"]
  return {
    kind: "number",
    type: "number",
    isInteger,
    bounds: Bounds.tightest(written),
    steps: Predicate.isNumber(steps) ? [steps] : []
  }
}

const list = (schema: Json, source: Json): List => {
  const items = Predicate.isObject(schema["items"]) ? { ...schema["items"] } : undefined
  const first = listOf(schema["prefixItems"]).map(objectOf)
  const text = JSON.stringify(items)
  // A list that is not empty names its first item apart, though it is as all others.
  while (first.length > 0 && JSON.stringify(first.at(-1)) === text) first.pop()
  return {
    kind: "array",
    type: "array",
    source,
    first,
    items,
    minItems: numberOf(schema["minItems"], 0),
    maxItems: numberOf(
      schema["maxItems"],
      schema["items"] === false ? listOf(schema["prefixItems"]).length : Number.POSITIVE_INFINITY
    ),
    isUnique: schema["uniqueItems"] === true
  }
}

const fields = (schema: Json, source: Json, document: Document): Fields => {
  const properties = Object.fromEntries(
    Object.entries(objectOf(schema["properties"])).map(([name, property]) => [name, objectOf(property)] as const)
  )
  const required = new Set(listOf(schema["required"]).map(String))
  const others = schema["additionalProperties"]
  return {
    kind: "object",
    type: "object",
    source,
    properties,
    required,
    others: others === false ? false : Predicate.isObject(others) ? { ...others } : undefined,
    patterns: Object.fromEntries(
      Object.entries(objectOf(schema["patternProperties"])).map(([name, one]) => [name, objectOf(one)] as const)
    ),
    bounds: boundsOf(schema, ["minProperties", "maxProperties", "propertyNames"]),
    literals: new Map(
      Object.entries(properties).flatMap(([name, property]) => {
        const value = literalIn(property, document)
        return value === undefined || !required.has(name) ? [] : [[name, value] as const]
      })
    )
  }
}

const literalIn = (property: Json, document: Document): unknown => {
  if (property["enum"] === undefined && property["const"] === undefined) return undefined
  const [only, ...more] = of(property, document)
  return only?.kind === "literal" && more.length === 0 ? only.value : undefined
}

/** The variants of a union: its objects, with what tells them apart. */
export const variantsOf = (
  shapes: ReadonlyArray<ReadonlyArray<Alternative>>
): { readonly tag: string | undefined; readonly isUnion: boolean } => {
  const objects = shapes.map((shape) => shape.filter((one) => one.kind === "object"))
  const isUnion = objects.some((one) => one.length > 1)
  if (!isUnion) return { tag: undefined, isUnion }
  const tags = objects.map((one) => Path.tagOf(one.map(({ literals }) => literals)))
  const known = tags.find((tag) => tag !== undefined)
  const hasTag = known !== undefined && objects.every((one) => one.every(({ literals }) => literals.has(known)))
  return { tag: hasTag ? known : undefined, isUnion }
}

/** For people. */
export const nameOf = (shape: ReadonlyArray<Alternative>): string => {
  const names = new Set(
    shape.map((one) =>
      one.kind === "literal" && one.type !== "null"
        ? JSON.stringify(one.value)
        : one.kind === "number"
          ? one.isInteger
            ? "integer"
            : "number"
          : one.type
    )
  )
  return names.size === 0 ? "nothing" : [...names].join(" | ")
}

/** Whether there is such a field; `*` is any item or key. */
export const hasPath = (schema: unknown, document: Document, [name, ...below]: ReadonlyArray<string>): boolean =>
  name === undefined ||
  of(schema, document).some((one) => {
    const children =
      one.kind === "object"
        ? name === "*"
          ? [one.others, ...Object.values(one.patterns)]
          : [one.properties[name]]
        : one.kind === "array"
          ? [...one.first, one.items]
          : []
    return children.some((child) => child !== undefined && child !== false && hasPath(child, document, below))
  })
