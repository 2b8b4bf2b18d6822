/** The JSON Schema (draft 2020-12) of the data of an event on the wire, whatever schema it has. */
import type * as JsonSchema from "effect/JsonSchema"
import * as Predicate from "effect/Predicate"
import { modules } from "../SchemaModule.ts"
import { type AnySchema, isEffectSchema, type StandardSchema } from "./StandardSchema.ts"

export type Document = JsonSchema.Document<"draft-2020-12">

/** Thrown for a Standard Schema that gives no JSON Schema. */
export class NoJsonSchema extends Error {
  override readonly name = "NoJsonSchema"

  constructor(vendor: string, why: string) {
    super(`the schema of the library ${vendor} gives no JSON Schema: ${why}`)
  }
}

/** Throws `NoJsonSchema`, or what a part of the schema throws. */
export const documentOf = (schema: AnySchema): Document => {
  if (isEffectSchema(schema)) return modules().Schema.toJsonSchemaDocument(schema)
  const { $defs, $schema: _, ...root } = inputOf(schema)
  const definitions = Predicate.isObject($defs) ? $defs : {}
  return refersToRoot(root) || refersToRoot(definitions)
    ? atDefinition(root, definitions)
    : { dialect: "draft-2020-12", schema: root, definitions: schemasOf(definitions) }
}

const inputOf = (schema: StandardSchema): Readonly<Record<string, unknown>> => {
  const { jsonSchema, vendor } = schema["~standard"]
  if (jsonSchema === undefined) {
    const remedy =
      vendor === "valibot" ? "wrap it in `toStandardJsonSchema` of @valibot/to-json-schema" : "use a version that does"
    throw new NoJsonSchema(vendor, `it has no Standard JSON Schema. Where it is to be compared or described, ${remedy}`)
  }
  try {
    return jsonSchema.input({ target: "draft-2020-12" })
  } catch (error) {
    throw new NoJsonSchema(vendor, error instanceof Error ? error.message : String(error))
  }
}

/** The same for readers: a schema of anything that says why, where there is none. */
export const describedOf = (schema: AnySchema): Document => {
  try {
    return documentOf(schema)
  } catch (error) {
    if (!(error instanceof NoJsonSchema)) throw error
    return { dialect: "draft-2020-12", schema: { description: `Not described: ${error.message}` }, definitions: {} }
  }
}

const root = "#"

/** A schema that is recursive as a whole refers to its document, which is no longer its own among others. */
const refersToRoot = (part: unknown): boolean => {
  if (Array.isArray(part)) return part.some(refersToRoot)
  if (!Predicate.isObject(part)) return false
  return Object.entries(part).some(([key, value]) => (key === "$ref" ? value === root : refersToRoot(value)))
}

const atDefinition = (schema: unknown, definitions: object): Document => {
  let name = "Data"
  while (Object.hasOwn(definitions, name)) name += "_"
  const $ref = `#/$defs/${name}`
  const moved = (part: unknown): unknown => {
    if (Array.isArray(part)) return part.map(moved)
    if (!Predicate.isObject(part)) return part
    return Object.fromEntries(
      Object.entries(part).map(([key, value]) => [key, key === "$ref" && value === root ? $ref : moved(value)])
    )
  }
  return {
    dialect: "draft-2020-12",
    schema: { $ref },
    definitions: schemasOf({ ...definitions, [name]: schema }, moved)
  }
}

const schemasOf = (definitions: object, change: (part: unknown) => unknown = (part) => part): Document["definitions"] =>
  Object.fromEntries(
    Object.entries(definitions).map(([name, one]): [string, JsonSchema.JsonSchema] => {
      const changed = change(one)
      return [name, Predicate.isObject(changed) ? { ...changed } : {}]
    })
  )
