/** What every report has: its kind and its version. */
import * as Schema from "effect/Schema"

export const report = <const Kind extends string, const Fields extends Schema.Struct.Fields>(
  kind: Kind,
  fields: Fields
) => Schema.Struct({ kind: Schema.Literal(kind), version: Schema.Literal(1), ...fields })

export const Counts = Schema.Record(Schema.String, Schema.Int)
/** ISO 8601 in UTC, or null where it is not known. */
export const Time = Schema.NullOr(Schema.String)

/** A body as text where it is text. */
export const Body = Schema.Struct({
  encoding: Schema.Literals(["json", "text", "base64"]),
  value: Schema.Unknown
})
