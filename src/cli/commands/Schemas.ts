/** `eventbus schema` */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { byCommand } from "../../operations/Reports.ts"

/** JSON Schema (draft 2020-12) of every report. */
export const schemas = (): Readonly<Record<string, unknown>> =>
  Object.fromEntries(
    Object.entries(byCommand).map(([command, schema]) => [command, Schema.toJsonSchemaDocument(schema)])
  )

export const run = Effect.suspend(() => Console.log(JSON.stringify(schemas(), null, 2)))
