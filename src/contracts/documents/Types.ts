/**
 * TypeScript declarations of the events on the wire, for teams that do not have this package: the data of each version,
 * the envelope around it, and the events by name.
 */
import * as Predicate from "effect/Predicate"
import { describedOf } from "../../event/standard/JsonSchemaOf.ts"
import type { AnySchema } from "../../event/standard/StandardSchema.ts"
import * as Snapshot from "../Snapshot.ts"
import type { Described } from "./AsyncApi.ts"
import * as Wording from "./Wording.ts"

type Json = Readonly<Record<string, unknown>>

export const file = (described: Pick<Described, "events" | "title">): string => {
  const events = described.events.toSorted((a, b) => (a.name < b.name ? -1 : 1))
  const versions = events.flatMap((event) =>
    Snapshot.versionsOf(event).map(({ data, version }) => ({
      data,
      event: event.name,
      version,
      type: typeName(event.name, version)
    }))
  )
  const newest = events.map(({ name, version }) => [JSON.stringify(name), typeName(name, version)] as const)
  return [
    `/** Events of ${comment(described.title)}. Written by \`eventbus contracts types\`. */`,
    "",
    envelope,
    "",
    ...versions.flatMap(({ data, event, type, version }) => [...declarations(type, data, event, version), ""]),
    "/** The data of the newest version, by the name of the event. */",
    "export interface Events {",
    ...newest.map(([name, type]) => `  readonly ${name}: ${type}`),
    "}",
    "",
    "export type EventName = keyof Events",
    "",
    "/** Any event, of any version, as it is on the wire. */",
    versions.length === 0 ? "export type AnyEvent = never" : "export type AnyEvent =",
    ...versions.map(({ event, type, version }) => `  | CloudEvent<${JSON.stringify(event)}, ${version}, ${type}>`),
    ""
  ].join("\n")
}

const envelope = `/** A CloudEvent 1.0 in structured mode. Its media type is application/cloudevents+json. */
export interface CloudEvent<Type extends string, Version extends number, Data> {
  readonly specversion: "1.0"
  readonly id: string
  /** The service that published it. */
  readonly source: string
  readonly type: Type
  /** RFC 3339. */
  readonly time: string
  readonly datacontenttype: "application/json"
  readonly dataschema: \`urn:event:\${Type}:\${Version}\`
  /** The key of the event. */
  readonly subject?: string
  readonly correlationid?: string
  readonly causationid?: string
  readonly actor?: string
  readonly actorrole?: string
  readonly actorstatus?: string
  /** Whose it is, where a service works for several customers. */
  readonly tenant?: string
  readonly data: Data
}`

/** `AcademicGradePostedV3` */
const typeName = (event: string, version: number): string => `${pascal(event)}V${version}`

const pascal = (text: string): string =>
  text
    .split(/[^a-zA-Z0-9]+/)
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join("")

const declarations = (type: string, data: AnySchema, event: string, version: number): ReadonlyArray<string> => {
  const { definitions, schema } = describedOf(data)
  const names = namesOf(type, Object.keys(definitions))
  const description = Wording.descriptionOf(data)
  const about = `Data of \`${event}\`, version ${version}.${description === undefined ? "" : ` ${description}`}`
  return [
    `/** ${comment(about)} */`,
    `export type ${type} = ${typeOf(schema, names, "")}`,
    ...Object.entries(definitions)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .flatMap(([key, definition]) => ["", `export type ${names.get(key)} = ${typeOf(definition, names, "")}`])
  ]
}

/** A name for each definition, which no other has. */
const namesOf = (type: string, keys: ReadonlyArray<string>): ReadonlyMap<string, string> => {
  const names = new Map<string, string>()
  const taken = new Set<string>()
  for (const key of keys.toSorted()) {
    const wanted = `${type}${pascal(key)}`
    let name = wanted
    for (let n = 2; taken.has(name); n++) name = `${wanted}_${n}`
    taken.add(name)
    names.set(key, name)
  }
  return names
}

type Names = ReadonlyMap<string, string>

const typeOf = (schema: unknown, names: Names, indent: string): string => {
  if (schema === false) return "never"
  if (!Predicate.isObject(schema)) return "unknown"
  const given: Json = { ...schema }
  const whole = own(given, names, indent)
  const parts = [whole, ...listOf(given["allOf"]).map((part) => typeOf(part, names, indent))].filter(
    (type) => type !== "unknown"
  )
  return parts.length > 1 ? parts.map(grouped).join(" & ") : (parts[0] ?? "unknown")
}

/** Without `allOf`. */
const own = (schema: Json, names: Names, indent: string): string => {
  const ref = schema["$ref"]
  if (Predicate.isString(ref)) {
    const key = decodeURIComponent(ref.replace("#/$defs/", "")).replaceAll("~1", "/").replaceAll("~0", "~")
    return names.get(key) ?? "unknown"
  }
  if (schema["const"] !== undefined) return JSON.stringify(schema["const"])
  if (schema["enum"] !== undefined) return union(listOf(schema["enum"]).map((one) => JSON.stringify(one)))
  const alternatives = schema["anyOf"] ?? schema["oneOf"]
  if (alternatives !== undefined) return union(listOf(alternatives).map((one) => typeOf(one, names, indent)))
  if (schema["not"] !== undefined && schema["type"] === undefined) return "never"
  return union([schema["type"] ?? []].flat().map((type) => ofType(String(type), schema, names, indent)))
}

const union = (types: ReadonlyArray<string>): string => {
  const distinct = [...new Set(types)]
  if (distinct.length === 0 || distinct.includes("unknown")) return "unknown"
  return distinct.length === 1
    ? distinct.join("")
    : distinct.map((type) => (type.includes(" & ") ? `(${type})` : type)).join(" | ")
}

const ofType = (type: string, schema: Json, names: Names, indent: string): string => {
  switch (type) {
    case "string":
    case "boolean":
    case "null":
      return type
    case "number":
    case "integer":
      return "number"
    case "array":
      return arrayOf(schema, names, indent)
    case "object":
      return objectOf(schema, names, indent)
    default:
      return "unknown"
  }
}

const arrayOf = (schema: Json, names: Names, indent: string): string => {
  const first = listOf(schema["prefixItems"]).map((one) => typeOf(one, names, indent))
  const items = schema["items"]
  const rest = items === false ? "never" : typeOf(items, names, indent)
  if (first.length === 0) return rest === "never" ? "readonly []" : `ReadonlyArray<${rest}>`
  const required = Predicate.isNumber(schema["minItems"]) ? schema["minItems"] : 0
  const places = first.map((one, at) => (at < required ? one : `(${one})?`))
  return `readonly [${[...places, ...(rest === "never" || hasEnd(schema, first.length) ? [] : [`...ReadonlyArray<${rest}>`])].join(", ")}]`
}

/** Whether there is nothing behind the first items. */
const hasEnd = ({ maxItems }: Json, first: number): boolean => Predicate.isNumber(maxItems) && maxItems <= first

const objectOf = (schema: Json, names: Names, indent: string): string => {
  const properties = Object.entries(Predicate.isObject(schema["properties"]) ? schema["properties"] : {})
  const required = new Set(listOf(schema["required"]))
  const others = [
    ...(Predicate.isObject(schema["additionalProperties"]) ? [schema["additionalProperties"]] : []),
    ...Object.values(Predicate.isObject(schema["patternProperties"]) ? schema["patternProperties"] : {})
  ].map((one) => typeOf(one, names, indent))
  if (properties.length === 0) return `Readonly<Record<string, ${others.length === 0 ? "unknown" : union(others)}>>`
  const deeper = `${indent}  `
  const fields = properties.flatMap(([name, property]: [string, unknown]) => [
    ...remarks(property).map((remark) => `${deeper}/** ${remark} */`),
    `${deeper}readonly ${nameOf(name)}${required.has(name) ? "" : "?"}: ${typeOf(property, names, deeper)}`
  ])
  const known = ["{", ...fields, `${indent}}`].join("\n")
  // A key that is not listed may have any of these values, so no type of an index would fit all.
  return others.length === 0 ? known : `${known} & Readonly<Record<string, unknown>>`
}

const nameOf = (name: string): string => (/^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name))

const told = [
  "pattern",
  "format",
  "minLength",
  "maxLength",
  "minimum",
  "maximum",
  "exclusiveMinimum",
  "exclusiveMaximum",
  "multipleOf",
  "minItems",
  "maxItems"
]

/** What a type does not say. */
const remarks = (property: unknown): ReadonlyArray<string> => {
  if (!Predicate.isObject(property)) return []
  const parts: ReadonlyArray<Json> = [
    { ...property },
    ...listOf(Reflect.get(property, "allOf")).filter(Predicate.isObject)
  ]
  const texts = parts.flatMap((part) => [
    ...(Predicate.isString(part["description"]) ? [part["description"]] : []),
    ...(part["type"] === "integer" ? ["integer"] : []),
    ...told.flatMap((keyword) => (part[keyword] === undefined ? [] : [`${keyword} ${String(part[keyword])}`]))
  ])
  return texts.length === 0 ? [] : [comment(texts.join(", "))]
}

const listOf = (value: unknown): ReadonlyArray<unknown> => (Array.isArray(value) ? value : [])
const grouped = (type: string): string => (type.includes(" | ") ? `(${type})` : type)
/** Within a comment. */
const comment = (text: string): string => text.replaceAll("*/", "*\\/").replaceAll(/\s+/g, " ")
