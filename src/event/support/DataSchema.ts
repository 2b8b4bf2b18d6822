/** The `dataschema` of an event, which names its version. */
import * as Predicate from "effect/Predicate"

/** The `dataschema` of version `version` of event `name`. */
export const dataSchema = (name: string, version: number): string => `urn:event:${name}:${version}`

/** The version in a `dataschema`; undefined if it is not a schema of ours, null if it is one but malformed. */
export const versionOf = (name: string, schema: unknown): number | undefined | null => {
  if (Predicate.isNullish(schema)) return undefined
  if (typeof schema !== "string") return null
  if (!schema.startsWith("urn:event:")) return undefined
  const prefix = `urn:event:${name}:`
  const digits = schema.slice(prefix.length)
  return schema.startsWith(prefix) && /^[1-9]\d{0,8}$/.test(digits) ? Number(digits) : null
}
