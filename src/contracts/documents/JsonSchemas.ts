/** The JSON Schema (draft 2020-12) of the data of each event and version, with descriptions and examples. */
import type * as Event from "../../event/Event.ts"
import { describedOf } from "../../event/standard/JsonSchemaOf.ts"
import * as Snapshot from "../Snapshot.ts"

/** By event and version: `academic.grade.posted.v3`, sorted. */
export const of = (events: ReadonlyArray<Event.Any>): Readonly<Record<string, unknown>> =>
  Object.fromEntries(
    events
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))
      .flatMap((event) =>
        Snapshot.versionsOf(event).map(({ data, version }) => {
          const { definitions, schema } = describedOf(data)
          return [
            `${event.name}.v${version}`,
            {
              $schema: "https://json-schema.org/draft/2020-12/schema",
              ...schema,
              ...(Object.keys(definitions).length > 0 && { $defs: definitions })
            }
          ] as const
        })
      )
  )
