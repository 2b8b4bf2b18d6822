/** Types, literals and unions that change, widen and narrow. */
import { Schema } from "effect"
import { data, type Mutation, value } from "./Mutation.ts"

const { Finite, Int, String, Struct } = Schema

interface Tree {
  readonly name: string
  readonly children: ReadonlyArray<Tree>
}
interface Labelled {
  readonly name: string
  readonly label: string
  readonly children: ReadonlyArray<Labelled>
}
const TreeSchema: Schema.Codec<Tree> = Struct({
  name: String,
  children: Schema.Array(Schema.suspend((): Schema.Codec<Tree> => TreeSchema))
}).annotate({ identifier: "Tree" })
const LabelledSchema: Schema.Codec<Labelled> = Struct({
  name: String,
  label: String,
  children: Schema.Array(Schema.suspend((): Schema.Codec<Labelled> => LabelledSchema))
}).annotate({ identifier: "Tree" })

const accepted = Struct({ _tag: Schema.Literal("Accepted") })
const refused = Struct({ _tag: Schema.Literal("Refused"), reason: String })
const more = Struct({ _tag: Schema.Literal("MoreNeeded") })

const types: ReadonlyArray<Mutation> = [
  value("text becomes a number", String, Finite, "type-changed value: old new publishers"),
  value("an integer becomes any number", Int, Finite, "type-widened value: old"),
  value("a number becomes an integer", Finite, Int, "type-narrowed value: new publishers"),
  value("text becomes text or a number", String, Schema.Union([String, Int]), "type-widened value: old"),
  value("text or a number becomes text", Schema.Union([String, Int]), String, "type-narrowed value: new publishers"),
  value("a value becomes a list", String, Schema.Array(String), "type-changed value: old new publishers"),
  value("a list becomes fields", Schema.Array(String), Struct({ a: String }), "type-changed value: old new publishers"),
  value(
    "the items of a list change",
    Schema.Array(String),
    Schema.Array(Int),
    "type-changed value.*: old new publishers"
  ),
  value(
    "the values of a record change",
    Schema.Record(String, Int),
    Schema.Record(String, String),
    "type-changed value.*: old new publishers"
  ),
  value(
    "a tuple gets longer",
    Schema.Tuple([String]),
    Schema.Tuple([String, Int]),
    "check-changed value: old new publishers"
  ),
  value(
    "a tuple may be longer",
    Schema.Tuple([String]),
    Schema.Tuple([String, Schema.optionalKey(Int)]),
    "check-loosened value: old"
  ),
  value("null is allowed", String, Schema.NullOr(String), "type-widened value: old"),
  value("null is forbidden", Schema.NullOr(String), String, "type-narrowed value: new publishers"),
  value("a time becomes milliseconds", Schema.Date, Int, "type-changed value: old new publishers"),
  value("text becomes a time, which is text on the wire", String, Schema.Date, "check-tightened value: new publishers"),
  value("a time becomes text", Schema.Date, String, "check-loosened value: old"),
  value(
    "text becomes a number that is text on the wire",
    String,
    Schema.FiniteFromString,
    "check-tightened value: new publishers"
  ),
  value("anything becomes text", Schema.Unknown, String, "type-narrowed value: new publishers"),
  value("text becomes anything", String, Schema.Unknown, "type-widened value: old"),
  value("Infinity and NaN are forbidden", Schema.Number, Finite, "type-narrowed value: new publishers"),
  data(
    "a recursive type gets a field",
    Struct({ tree: TreeSchema }),
    Struct({ tree: LabelledSchema }),
    "field-added tree.label: new publishers"
  )
]

const values: ReadonlyArray<Mutation> = [
  value("a literal is added", Schema.Literals(["a", "b"]), Schema.Literals(["a", "b", "c"]), "value-added value: old"),
  value(
    "a literal is removed",
    Schema.Literals(["a", "b"]),
    Schema.Literals(["a"]),
    "value-removed value: new publishers"
  ),
  value(
    "a literal is exchanged",
    Schema.Literals(["a", "b"]),
    Schema.Literals(["a", "c"]),
    "value-added value: old",
    "value-removed value: new publishers"
  ),
  value("a number is added to literals", Schema.Literals([1, 2]), Schema.Literals([1, 2, 3]), "value-added value: old"),
  value("literals become text", Schema.Literals(["a", "b"]), String, "type-widened value: old"),
  value("text becomes literals", String, Schema.Literals(["a", "b"]), "type-narrowed value: new publishers"),
  value("a flag is always on", Schema.Boolean, Schema.Literal(true), "value-removed value: new publishers"),
  value(
    "a literal gets another type",
    Schema.Literals(["1", "2"]),
    Schema.Literals([1, 2]),
    "type-changed value: old new publishers"
  ),
  value(
    "literals may be null",
    Schema.Literals(["a", "b"]),
    Schema.NullOr(Schema.Literals(["a", "b"])),
    "type-widened value: old"
  )
]

const unions: ReadonlyArray<Mutation> = [
  value(
    "a variant is added",
    Schema.Union([accepted, refused]),
    Schema.Union([accepted, refused, more]),
    "variant-added value<MoreNeeded>: old"
  ),
  value(
    "a variant is removed",
    Schema.Union([accepted, refused, more]),
    Schema.Union([accepted, refused]),
    "variant-removed value<MoreNeeded>: new publishers"
  ),
  value(
    "a variant is renamed",
    Schema.Union([refused, accepted]),
    Schema.Union([refused, more]),
    "variant-added value<MoreNeeded>: old",
    "variant-removed value<Accepted>: new publishers"
  ),
  value(
    "a variant gets a required field",
    Schema.Union([accepted, refused]),
    Schema.Union([accepted, Struct({ ...refused.fields, by: String })]),
    "field-added value<Refused>.by: new publishers"
  ),
  value(
    "a field of a variant becomes optional",
    Schema.Union([accepted, refused]),
    Schema.Union([accepted, Struct({ ...refused.fields, reason: Schema.optionalKey(String) })]),
    "field-optional value<Refused>.reason: old"
  ),
  value(
    "fields become one of two variants",
    accepted,
    Schema.Union([accepted, refused]),
    "variant-added value<Refused>: old"
  ),
  value(
    "a variant without a tag is added",
    Schema.Union([Struct({ a: String }), Struct({ b: String })]),
    Schema.Union([Struct({ a: String }), Struct({ b: String }), Struct({ c: String })]),
    "variant-added value: old"
  ),
  value(
    "a variant without a tag is removed",
    Schema.Union([Struct({ a: String }), Struct({ b: String })]),
    Schema.Union([Struct({ a: String })]),
    "variant-removed value: new publishers"
  ),
  value(
    "text is no longer accepted beside fields",
    Schema.Union([String, accepted]),
    Schema.Union([accepted]),
    "type-narrowed value: new publishers"
  )
]

export const rows = [...types, ...values, ...unions]
