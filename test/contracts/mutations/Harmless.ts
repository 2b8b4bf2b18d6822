/** Edits that change no contract: nothing may be found. */
import { Schema } from "effect"
import { Event, sensitive } from "../../../src/index.ts"
import { data, fields, type Mutation, mutation, value } from "./Mutation.ts"

const { Int, Literals, String, Struct, Union } = Schema
const Data = Struct({ a: String, b: String, n: Int })
type Data = typeof Data.Type
const name = "test.changed"

class Address extends Schema.Class<Address>("Address")({ city: String }) {}
class Place extends Schema.TaggedClass<Place>()("Place", { city: String }) {}

interface Tree {
  readonly name: string
  readonly children: ReadonlyArray<Tree>
}
const tree = (identifier: string): Schema.Codec<Tree> => {
  const self: Schema.Codec<Tree> = Struct({
    name: String,
    children: Schema.Array(Schema.suspend((): Schema.Codec<Tree> => self))
  }).annotate({ identifier })
  return self
}

const keyed = (key: (data: Data) => string) => Event.make(name, { version: 1, data: Data, key })
const separator = "/"
const first = "a"
const cached = (cache?: Event.CacheSettings) =>
  Event.make(name, { version: 1, data: Data, ...(cache !== undefined && { cache }) })
const roles = (...names: ReadonlyArray<string>) =>
  Event.make(name, { version: 1, data: Data, publishers: { roles: names } })
const other = Event.make("test.other", { version: 1, data: Data })
const upcast = (up: (old: { readonly a: string }) => { readonly a: string; readonly b: string }) =>
  Event.make(name, {
    version: 2,
    data: Struct({ a: String, b: String }),
    previous: [{ version: 1, data: Struct({ a: String }), up }]
  })

const variants = [Struct({ _tag: Schema.Literal("X"), n: Int }), Struct({ _tag: Schema.Literal("Y") })] as const

const schemas: ReadonlyArray<Mutation> = [
  fields("fields in another order", { a: String, b: Int }, { b: Int, a: String }),
  value("literals in another order", Literals(["a", "b"]), Literals(["b", "a"])),
  value("variants in another order", Union(variants), Union([variants[1], variants[0]])),
  value("a description", String, String.annotate({ description: "Where it is" })),
  value("a title and examples", String, String.annotate({ title: "Place", examples: ["here", "there"] })),
  value(
    "an identifier, which makes a definition",
    Struct({ a: Int }),
    Struct({ a: Int }).annotate({ identifier: "A" })
  ),
  fields("a description of a key", { a: String }, { a: String.annotateKey({ description: "The first" }) }),
  value("a brand", String, String.pipe(Schema.brand("UserId"))),
  value("a class for fields", Struct({ city: String }), Address),
  value("a tagged class for fields with a tag", Struct({ _tag: Schema.Literal("Place"), city: String }), Place),
  value("fields with a tag, written shorter", Struct({ _tag: Schema.Literal("X") }), Schema.TaggedStruct("X", {})),
  value("a union of literals for literals", Literals(["a", "b"]), Union([Schema.Literal("b"), Schema.Literal("a")])),
  value("one of one literal for a literal", Schema.Literal("a"), Literals(["a"])),
  value("a union in a union", Union([String, Union([Int, Schema.Null])]), Union([String, Int, Schema.Null])),
  value("true and false for a flag", Schema.Boolean, Literals([true, false])),
  value(
    "two bounds for a range",
    Int.check(Schema.isBetween({ minimum: 1, maximum: 5 })),
    Int.check(Schema.isLessThanOrEqualTo(5), Schema.isGreaterThanOrEqualTo(1))
  ),
  value("text that is not empty", Schema.NonEmptyString, String.check(Schema.isMinLength(1))),
  value("a list that is not empty", Schema.NonEmptyArray(Int), Schema.Array(Int).check(Schema.isMinLength(1))),
  value(
    "a weaker bound beside a bound",
    String.check(Schema.isMaxLength(10)),
    String.check(Schema.isMaxLength(10), Schema.isMaxLength(20))
  ),
  value(
    "checks in another order",
    String.check(Schema.isMinLength(2), Schema.isPattern(/^a/u)),
    String.check(Schema.isPattern(/^a/u), Schema.isMinLength(2))
  ),
  value(
    "the message of a check",
    String.check(Schema.isPattern(/^a/u)),
    String.check(Schema.isPattern(/^a/u, { message: "begin with an a", expected: "an a first" }))
  ),
  value(
    "a part that is suspended",
    Struct({ a: Int }),
    Schema.suspend(() => Struct({ a: Int }))
  ),
  value("another name of a recursive type", tree("Tree"), tree("Folder")),
  value("a record of literals for fields", Struct({ x: Int, y: Int }), Schema.Record(Literals(["x", "y"]), Int)),
  data("fields that are taken over", Data, Struct({ ...Struct({ a: String, b: String }).fields, n: Int })),
  value(
    "a mark before or behind a check",
    sensitive(String.check(Schema.isMaxLength(9))),
    sensitive(String).check(Schema.isMaxLength(9))
  )
]

const contracts: ReadonlyArray<Mutation> = [
  mutation(
    "a key by destructuring",
    keyed((data) => data.a),
    keyed(({ a }) => a)
  ),
  mutation(
    "a key by a constant",
    keyed((data) => data.a),
    keyed((data) => data[first])
  ),
  mutation(
    "a key put together in another way",
    keyed((data) => `${data.a}/${data.b}`),
    keyed(({ a, b }) => [a, b].join(separator))
  ),
  mutation("roles in another order", roles("x", "y"), roles("y", "x")),
  mutation("the defaults of the cache", cached(), cached({ last: true, history: 100, perKey: false })),
  mutation("a duration in another unit", cached({ timeToLive: "2 minutes" }), cached({ timeToLive: "120 seconds" })),
  mutation("events in another order", [cached(), other], [other, cached()]),
  mutation(
    "an upcaster written anew",
    upcast((old) => ({ ...old, b: "none" })),
    upcast(({ a }) => ({ a, b: "none" }))
  )
]

export const rows = [...schemas, ...contracts]
