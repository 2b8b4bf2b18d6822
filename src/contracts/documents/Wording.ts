/** What a contract says beside its fields, in words. */
import { describedOf } from "../../event/standard/JsonSchemaOf.ts"
import { type AnySchema, isEffectSchema } from "../../event/standard/StandardSchema.ts"
import type * as Snapshot from "../Snapshot.ts"

/** What the author says of a schema. */
export const descriptionOf = (data: AnySchema): string | undefined => {
  const description = annotationOf(data, "description")
  return typeof description === "string" ? description : undefined
}

/** What the author annotates a schema with. */
export const annotationOf = (data: AnySchema, name: "description" | "examples"): unknown =>
  isEffectSchema(data) ? data.ast.annotations?.[name] : describedOf(data).schema[name]

export const publishers = (given: Snapshot.Publishers | null): string => {
  if (given === null) return "everyone"
  const { hasCheck, roles, statuses } = given
  const parts = [
    ...(roles === null ? [] : [`roles ${roles.join(", ")}`]),
    ...(statuses === null ? [] : [`statuses ${statuses.join(", ")}`]),
    ...(hasCheck ? ["a check of the data"] : [])
  ]
  return parts.length === 0 ? "everyone" : parts.join("; ")
}

export const cache = (given: Snapshot.Cache | null): string => {
  if (given === null) return "nothing"
  const { history, last, perKey, timeToLiveMillis } = given
  const parts = [
    ...(last
      ? [`the last event of each key${timeToLiveMillis === null ? "" : `, for ${duration(timeToLiveMillis)}`}`]
      : []),
    ...(history > 0 ? [`${history} past events${perKey ? " of each key" : ""}`] : [])
  ]
  return parts.length === 0 ? "nothing" : parts.join("; ")
}

const units = [
  ["day", 86_400_000],
  ["hour", 3_600_000],
  ["minute", 60_000],
  ["second", 1000]
] as const

/** In the largest unit that it is a whole number of. */
const duration = (millis: number): string => {
  const unit = units.find(([, size]) => millis >= size && millis % size === 0)
  if (unit === undefined) return `${millis} ms`
  const [name, size] = unit
  return millis === size ? `1 ${name}` : `${millis / size} ${name}s`
}
