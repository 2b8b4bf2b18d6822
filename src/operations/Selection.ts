/** How a face selects dead letters: the filter of the API, as a schema with a description of each part. */
import * as Schema from "effect/Schema"
import type { LetterFilter } from "../bus/deadletter/LetterFilter.ts"
import { deadLetterReasons } from "../bus/send/Diagnosis.ts"

const said = (description: string) => Schema.optionalKey(Schema.String.annotate({ description }))

export const source = Schema.String.annotate({
  description: "Name of a subscriber, or `undeliverable`: delayed events that nobody was bound to"
})

export const selection = {
  ids: Schema.optionalKey(Schema.Array(Schema.String).annotate({ description: "Ids of events" })),
  event: said("Name of an event, or a pattern such as academic.#"),
  reason: said(`Why it was given up: ${deadLetterReasons.join(", ")}`),
  errorTag: said("Tag of its error"),
  key: said("Key of the event"),
  olderThan: said('Failed at least this long ago: "2 hours"'),
  newerThan: said('Failed less long ago than this: "1 day"')
}

export const after = said("`next` of the page before")

export type Selection = typeof SelectionSchema.Type
const SelectionSchema = Schema.Struct(selection)

/** The filter of the API. Reason and times are checked where they are used, with an error that names the known ones. */
export const filterOf = ({ errorTag, event, ids, key, newerThan, olderThan, reason }: Selection): LetterFilter => ({
  ...(ids !== undefined && { ids }),
  ...(event !== undefined && { event }),
  ...(errorTag !== undefined && { errorTag }),
  ...(key !== undefined && { key }),
  // The compiler of filters takes texts as they come, and refuses what it does not know.
  ...(reason !== undefined && { reason: reason as NonNullable<LetterFilter["reason"]> }),
  ...(olderThan !== undefined && { olderThan: olderThan as `${number} hours` }),
  ...(newerThan !== undefined && { newerThan: newerThan as `${number} hours` })
})
