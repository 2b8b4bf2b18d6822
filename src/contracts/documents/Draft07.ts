/**
 * JSON Schemas in draft 7, the dialect of AsyncAPI, with their definitions as components of one document. The names of
 * components are those of event and version, so that equal contracts give equal texts.
 */
import * as JsonSchema from "effect/JsonSchema"
import * as Predicate from "effect/Predicate"
import { describedOf } from "../../event/standard/JsonSchemaOf.ts"
import type { AnySchema } from "../../event/standard/StandardSchema.ts"

export type Components = Readonly<Record<string, unknown>>

export const pointerTo = (component: string): string => `#/components/schemas/${component}`

/** The schema under `name`, and what it refers to as `name.definition`. */
export const componentsOf = (name: string, data: AnySchema): Components => {
  const { definitions, schema } = JsonSchema.toDocumentDraft07(describedOf(data))
  const pointers = new Map(Object.keys(definitions).map((key) => [`${local}${escaped(key)}`, componentOf(name, key)]))
  const moved = (part: unknown, isData = false): unknown => {
    if (Array.isArray(part)) return part.map((one) => moved(one, isData))
    if (isData || !Predicate.isObject(part)) return part
    return Object.fromEntries(
      Object.entries(part).map(([key, value]: [string, unknown]) => {
        const component = key === "$ref" && Predicate.isString(value) ? pointers.get(value) : undefined
        return [key, component === undefined ? moved(value, values.has(key)) : pointerTo(component)]
      })
    )
  }
  return Object.fromEntries([
    [name, moved(schema)],
    ...Object.entries(definitions)
      .map(([key, definition]) => [componentOf(name, key), moved(definition)] as const)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
  ])
}

const local = "#/definitions/"
/** Keywords whose values are data: what looks like a reference there is none. */
const values = new Set(["enum", "const", "default", "examples"])

const componentOf = (name: string, definition: string): string =>
  `${name}.${definition.replaceAll(/[^a-zA-Z0-9._-]/gu, "_")}`

/** Within a JSON pointer that is a fragment. */
const escaped = (key: string): string => encodeURIComponent(key.replaceAll("~", "~0").replaceAll("/", "~1"))
