/** Fields that come, go, are renamed, and become optional or required. */
import { Effect, Schema } from "effect"
import { data, fields, type Mutation, value } from "./Mutation.ts"

const { Int, String } = Schema
const optional = Schema.optionalKey

export const rows: ReadonlyArray<Mutation> = [
  fields("a required field is added", { a: String }, { a: String, b: Int }, "field-added b: new publishers"),
  fields(
    "a required field is added to a field",
    { at: Schema.Struct({ city: String }) },
    { at: Schema.Struct({ city: String, zip: Int }) },
    "field-added at.zip: new publishers"
  ),
  fields(
    "a required field is added to the items of a list",
    { items: Schema.Array(Schema.Struct({ id: String })) },
    { items: Schema.Array(Schema.Struct({ id: String, unit: Int })) },
    "field-added items.*.unit: new publishers"
  ),
  fields("an optional field is added", { a: String }, { a: String, b: optional(Int) }),
  fields(
    "a field with a default is added",
    { a: String },
    { a: String, b: Int.pipe(Schema.withDecodingDefaultKey(Effect.succeed(1))) }
  ),
  fields("a required field is removed", { a: String, b: Int }, { a: String }, "field-removed b: old"),
  fields("an optional field is removed", { a: String, b: optional(Int) }, { a: String }, "(field-dropped b: old)"),
  fields("a required field becomes optional", { a: String }, { a: optional(String) }, "field-optional a: old"),
  fields(
    "an optional field becomes required",
    { a: optional(String) },
    { a: String },
    "field-required a: new publishers"
  ),
  value(
    "an optional field becomes required below",
    Schema.Struct({ a: optional(String) }),
    Schema.Struct({ a: String }),
    "field-required value.a: new publishers"
  ),
  fields("a required field is renamed", { a: String, b: Int }, { a: String, c: Int }, "field-renamed b: old new"),
  fields(
    "an optional field is renamed",
    { a: String, b: optional(Int) },
    { a: String, c: optional(Int) },
    "field-renamed b: old new"
  ),
  fields(
    "a field is renamed and gets another type",
    { a: String },
    { b: Int },
    "field-added b: new publishers",
    "field-removed a: old"
  ),
  fields(
    "two fields of one type are renamed",
    { a: String, b: String },
    { c: String, d: String },
    "field-added c: new publishers",
    "field-added d: new publishers",
    "field-removed a: old",
    "field-removed b: old"
  ),
  fields(
    "a field moves into a field",
    { city: String },
    { at: Schema.Struct({ city: String }) },
    "field-added at: new publishers",
    "field-removed city: old"
  ),
  fields(
    "an absent key may be undefined, which is null on the wire",
    { a: optional(String) },
    { a: Schema.optional(String) },
    "type-widened a: old"
  ),
  fields(
    "undefined is forbidden again",
    { a: Schema.optional(String) },
    { a: optional(String) },
    "type-narrowed a: new publishers"
  ),
  data(
    "a key is renamed on the wire only",
    Schema.Struct({ a: String, b: Int }),
    Schema.Struct({ a: String, b: Int }).pipe(Schema.encodeKeys({ b: "c" })),
    "field-renamed b: old new"
  ),
  value(
    "a record takes the place of fields",
    Schema.Struct({ a: String }),
    Schema.Record(String, String),
    "field-removed value.a: old"
  ),
  value(
    "fields take the place of a record",
    Schema.Record(String, String),
    Schema.Struct({ a: String }),
    "field-added value.a: new publishers"
  )
]
