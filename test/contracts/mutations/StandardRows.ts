/** The same kinds of changes on Standard Schemas: zod gives the JSON Schema of what is on the wire. */
import { z } from "zod"

export interface StandardMutation {
  readonly title: string
  readonly before: z.ZodType
  readonly after: z.ZodType
  /** As in the other tables. */
  readonly expected: ReadonlyArray<string>
}

const both = "old new publishers"
const data = (
  title: string,
  before: z.ZodType,
  after: z.ZodType,
  ...expected: ReadonlyArray<string>
): StandardMutation => ({ title, before, after, expected })
type Fields = Readonly<Record<string, z.ZodType>>
const fields = (title: string, before: Fields, after: Fields, ...expected: ReadonlyArray<string>) =>
  data(title, z.object(before), z.object(after), ...expected)
const value = (title: string, before: z.ZodType, after: z.ZodType, ...expected: ReadonlyArray<string>) =>
  fields(title, { value: before }, { value: after }, ...expected)

const [text, int, number] = [z.string(), z.int(), z.number()]
const accepted = z.object({ type: z.literal("accepted") })
const refused = z.object({ type: z.literal("refused"), reason: text })
const more = z.object({ type: z.literal("more") })
const tree = (fields: Fields): z.ZodType => {
  const node: z.ZodType = z.object({
    name: text,
    ...fields,
    get children() {
      return z.array(node)
    }
  })
  return node
}

const ofFields: ReadonlyArray<StandardMutation> = [
  fields("a required field is added", { a: text }, { a: text, b: int }, "field-added b: new publishers"),
  fields("an optional field is added", { a: text }, { a: text, b: int.optional() }),
  fields("a field with a default is added", { a: text }, { a: text, b: int.default(1) }),
  fields("a required field is removed", { a: text, b: int }, { a: text }, "field-removed b: old"),
  fields("an optional field is removed", { a: text, b: int.optional() }, { a: text }, "(field-dropped b: old)"),
  fields("a required field becomes optional", { a: text }, { a: text.optional() }, "field-optional a: old"),
  fields("an optional field becomes required", { a: text.optional() }, { a: text }, "field-required a: new publishers"),
  fields("a field is renamed", { a: text, b: int }, { a: text, c: int }, "field-renamed b: old new"),
  value(
    "a required field is added below",
    z.object({ city: text }),
    z.object({ city: text, zip: int }),
    "field-added value.zip: new publishers"
  ),
  value(
    "a required field is added to the items of a list",
    z.array(z.object({ id: text })),
    z.array(z.object({ id: text, unit: int })),
    "field-added value.*.unit: new publishers"
  ),
  data("a recursive type gets a field", tree({}), tree({ label: text }), "field-added label: new publishers"),
  data("unknown keys are refused", z.object({ a: text }), z.strictObject({ a: text })),
  fields(
    "a field leaves where unknown keys are refused",
    { a: z.strictObject({ b: text, c: text.optional() }) },
    { a: z.strictObject({ b: text }) },
    "check-tightened a: new publishers",
    "(field-dropped a.c: old)"
  )
]

const ofTypes: ReadonlyArray<StandardMutation> = [
  value("text becomes a number", text, number, `type-changed value: ${both}`),
  value("an integer becomes any number", int, number, "type-widened value: old"),
  value("a number becomes an integer", number, int, "type-narrowed value: new publishers"),
  value("text becomes text or a number", text, z.union([text, number]), "type-widened value: old"),
  value("null is allowed", text, text.nullable(), "type-widened value: old"),
  value("null is forbidden", text.nullable(), text, "type-narrowed value: new publishers"),
  value("a value becomes a list", text, z.array(text), `type-changed value: ${both}`),
  value("the items of a list change", z.array(text), z.array(number), `type-changed value.*: ${both}`),
  value("the values of a record change", z.record(text, int), z.record(text, text), `type-changed value.*: ${both}`),
  value("a tuple gets longer", z.tuple([text]), z.tuple([text, int]), `check-changed value: ${both}`),
  value("anything becomes text", z.unknown(), text, "type-narrowed value: new publishers"),
  value("a literal is added", z.enum(["a", "b"]), z.enum(["a", "b", "c"]), "value-added value: old"),
  value("a literal is removed", z.enum(["a", "b"]), z.enum(["a"]), "value-removed value: new publishers"),
  value("text becomes literals", text, z.enum(["a", "b"]), "type-narrowed value: new publishers"),
  value("literals become text", z.enum(["a", "b"]), text, "type-widened value: old"),
  value("a flag is always on", z.boolean(), z.literal(true), "value-removed value: new publishers"),
  value(
    "a variant is added",
    z.discriminatedUnion("type", [accepted, refused]),
    z.discriminatedUnion("type", [accepted, refused, more]),
    "variant-added value<more>: old"
  ),
  value(
    "a variant is removed",
    z.discriminatedUnion("type", [accepted, refused, more]),
    z.discriminatedUnion("type", [accepted, refused]),
    "variant-removed value<more>: new publishers"
  ),
  value(
    "a variant gets a required field",
    z.discriminatedUnion("type", [accepted, refused]),
    z.discriminatedUnion("type", [accepted, refused.extend({ by: text })]),
    "field-added value<refused>.by: new publishers"
  )
]

const ofChecks: ReadonlyArray<StandardMutation> = [
  value("text gets a shortest length", text, text.min(1), "check-tightened value: new publishers"),
  value("the longest length grows", text.max(20), text.max(21), "check-loosened value: old"),
  value("the longest length shrinks", text.max(20), text.max(10), "check-tightened value: new publishers"),
  value("the smallest number grows", int.min(0), int.min(1), "check-tightened value: new publishers"),
  value("the smallest number shrinks", number.min(1), number.min(0), "check-loosened value: old"),
  value("the steps get coarser", int.multipleOf(2), int.multipleOf(4), "check-tightened value: new publishers"),
  value("a pattern is added", text, text.regex(/^[a-z]+$/), "check-tightened value: new publishers"),
  value("a pattern changes", text.regex(/^a/), text.regex(/^b/), `check-changed value: ${both}`),
  value("text has to be an address", text, z.url(), "check-tightened value: new publishers"),
  value("an e-mail address becomes text", z.email(), text, "check-loosened value: old"),
  value("text has to be a time", text, z.iso.datetime(), "check-tightened value: new publishers"),
  value("a list may not be empty", z.array(text), z.array(text).min(1), "check-tightened value: new publishers"),
  value(
    "the items of a list get a check",
    z.array(text),
    z.array(text.max(5)),
    "check-tightened value.*: new publishers"
  ),
  value(
    "a field of a variant gets a check",
    z.discriminatedUnion("type", [accepted, refused]),
    z.discriminatedUnion("type", [accepted, refused.extend({ reason: text.max(9) })]),
    "check-tightened value<refused>.reason: new publishers"
  ),
  value(
    "the keys of a record get a check",
    z.record(text, int),
    z.record(text.regex(/^[a-z]+$/), int),
    `check-changed value: ${both}`
  )
]

export const rows = [...ofFields, ...ofTypes, ...ofChecks]

export const harmless: ReadonlyArray<StandardMutation> = [
  fields("fields in another order", { a: text, b: int }, { b: int, a: text }),
  value("literals in another order", z.enum(["a", "b"]), z.enum(["b", "a"])),
  value("variants in another order", z.union([accepted, refused]), z.union([refused, accepted])),
  value("a description", text, text.describe("Where it is")),
  value("metadata", text, text.meta({ title: "Place", examples: ["here"] })),
  value("an id, which makes a definition", z.object({ a: int }), z.object({ a: int }).meta({ id: "A" })),
  value("a brand", text, text.brand("UserId")),
  value("null in a union", text.nullable(), z.union([text, z.null()])),
  value("a union of literals for literals", z.enum(["a", "b"]), z.union([z.literal("b"), z.literal("a")])),
  value(
    "a union with a tag for one without",
    z.union([accepted, refused]),
    z.discriminatedUnion("type", [accepted, refused])
  ),
  value("a weaker bound beside a bound", text.max(10), text.max(20).max(10)),
  value("a list that is not empty", z.array(int).min(1), z.array(int).nonempty()),
  fields("another default", { a: int.default(1) }, { a: int.default(2) }),
  fields("fields that are extended", { a: text, b: int }, z.object({ a: text }).extend({ b: int }).shape),
  value(
    "what is made of it when it is read",
    text,
    text.transform((given) => given.length)
  )
]
