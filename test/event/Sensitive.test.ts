/** No secret leaves: a sensitive value is never shown, wherever the schema has it and whatever is wrong with it (P14). */
import { assert, describe, it } from "@effect/vitest"
import { Option, Result, Schema } from "effect"
import type { DataSchema } from "../../src/event/standard/StandardSchema.ts"
import * as Event from "../../src/event/Event.ts"
import { sensitive } from "../../src/event/sensitive/Sensitive.ts"
import { failure } from "./support.ts"

const canary = "s3cret"
// Too short, so that the canary is never valid.
const Long = Schema.String.check(Schema.isMinLength(50))
const long = "x".repeat(60)

class Person extends Schema.Class<Person>("Person")({ m: sensitive(Long) }) {}

interface Node {
  readonly m: string
  readonly kids: ReadonlyArray<Node>
}
const Node: Schema.Codec<Node> = Schema.Struct({
  m: sensitive(Long),
  kids: Schema.Array(Schema.suspend((): Schema.Codec<Node> => Node))
})

const cases: ReadonlyArray<readonly [string, DataSchema, unknown]> = [
  ["a field", Schema.Struct({ m: sensitive(Long) }), { m: canary }],
  ["the whole", sensitive(Long), canary],
  ["checked before", Schema.Struct({ m: sensitive(Schema.String.check(Schema.isMinLength(9))) }), { m: canary }],
  ["checked after", Schema.Struct({ m: sensitive(Schema.String).check(Schema.isMinLength(50)) }), { m: canary }],
  ["checked before and after", Schema.Struct({ m: sensitive(Long).check(Schema.isMinLength(60)) }), { m: canary }],
  ["branded", Schema.Struct({ m: sensitive(Long).pipe(Schema.brand("M")) }), { m: canary }],
  ["annotated", Schema.Struct({ m: sensitive(Long).annotate({ title: "m" }) }), { m: canary }],
  ["an optional key", Schema.Struct({ m: Schema.optionalKey(sensitive(Long)) }), { m: canary }],
  ["marked when optional", Schema.Struct({ m: sensitive(Schema.optionalKey(Long)) }), { m: canary }],
  ["optional", Schema.Struct({ m: Schema.optional(sensitive(Long)) }), { m: canary }],
  ["nullable", Schema.Struct({ m: Schema.NullOr(sensitive(Long)) }), { m: canary }],
  ["an element", Schema.Array(sensitive(Long)), [long, canary]],
  ["an array that is none", Schema.Struct({ m: Schema.Array(sensitive(Long)) }), { m: canary }],
  ["a part of a tuple", Schema.Tuple([Schema.String, sensitive(Long)]), ["a", canary]],
  ["a value of a record", Schema.Record(Schema.String, sensitive(Long)), { a: canary }],
  ["a key of a record", Schema.Record(sensitive(Schema.String), Schema.Finite), { [canary]: "x" }],
  ["a member of a union", Schema.Struct({ m: Schema.Union([Schema.Finite, sensitive(Long)]) }), { m: canary }],
  ["a case of a tagged union", Schema.TaggedUnion({ A: { m: sensitive(Long) }, B: {} }), { _tag: "A", m: canary }],
  ["a case that does not exist", Schema.TaggedUnion({ A: { m: sensitive(Long) }, B: {} }), { _tag: "C", m: canary }],
  [
    "a union of which exactly one member must match",
    Schema.Struct({ m: sensitive(Schema.Union([Schema.String, Schema.NonEmptyString], { mode: "oneOf" })) }),
    { m: canary }
  ],
  ["a class", Schema.Struct({ person: Person }), { person: { m: canary } }],
  ["a class as data", Person, { m: canary }],
  ["an option", Schema.Struct({ m: Schema.Option(sensitive(Long)) }), { m: Option.some(canary) }],
  [
    "an option type other than Effect's",
    Schema.Struct({ m: Schema.Option(sensitive(Long)) }),
    { m: { _tag: "Some", value: canary } }
  ],
  ["a map", Schema.ReadonlyMap(Schema.String, sensitive(Long)), new Map([["a", canary]])],
  [
    "a map of people",
    Schema.ReadonlyMap(Schema.String, Schema.Struct({ m: sensitive(Long) })),
    new Map([["a", { m: canary }]])
  ],
  ["a set", Schema.ReadonlySet(sensitive(Long)), new Set([canary])],
  ["deep in a recursion", Node, { m: long, kids: [{ m: long, kids: [{ m: canary, kids: [] }] }] }],
  ["a date", Schema.Struct({ m: sensitive(Schema.Date) }), { m: canary }],
  ["a transformation", Schema.Struct({ m: sensitive(Schema.FiniteFromString) }), { m: canary }],
  [
    "under another name on the wire",
    Schema.Struct({ m: sensitive(Long) }).pipe(Schema.encodeKeys({ m: "mm" })),
    { m: canary, mm: canary }
  ],
  [
    "a fault of the whole data",
    Schema.Struct({ m: sensitive(Schema.String) }).check(Schema.makeFilter(() => false)),
    { m: canary }
  ],
  [
    "a check that quotes the value",
    Schema.Struct({ m: sensitive(Schema.String.check(Schema.makeFilter((text: string) => `bad ${text}`))) }),
    { m: canary }
  ],
  ["a parent that is something else", Schema.Struct({ p: Schema.Struct({ m: sensitive(Long) }) }), { p: [canary] }],
  [
    "a list of people",
    Schema.Struct({ people: Schema.Array(Schema.Struct({ m: sensitive(Long) })) }),
    { people: [{ m: long }, canary] }
  ]
]

describe("sensitive values", () => {
  it.each(cases.map(([name, data, value]) => ({ name, data, value })))("$name", ({ data, value }) => {
    const { dataCodec: contract } = Event.make("a.b", { version: 1, data })
    const encoded = contract.encode(value)
    assert.isTrue(Result.isFailure(encoded))
    for (const result of [encoded, contract.decode(1, value)]) {
      if (Result.isSuccess(result)) continue
      assert.notInclude(result.failure.message + JSON.stringify(result.failure), canary)
    }
  })

  it("are reported by their path and what was expected there", () => {
    const event = Event.make("a.b", {
      version: 1,
      data: Schema.Struct({ people: Schema.Array(Schema.Struct({ mail: sensitive(Long) })) })
    })
    assert.deepStrictEqual(
      failure(event.dataCodec.encode({ people: [{ mail: "x" }] })).message.includes(
        "data.people.0.mail: Expected a value with a length of at least 50"
      ),
      true
    )
  })
})

describe("redact", () => {
  const Data = Schema.Struct({
    // The shorter one first: it is a part of the other.
    nick: sensitive(Schema.String),
    name: sensitive(Schema.String),
    born: sensitive(Schema.Date),
    phones: Schema.ReadonlyMap(Schema.String, sensitive(Schema.String)),
    code: sensitive(Schema.Option(Schema.String)),
    pin: sensitive(Schema.Finite),
    course: Schema.String
  })
  const { dataCodec: contract } = Event.make("a.redacted", { version: 1, data: Data })
  const data: typeof Data.Type = {
    name: 'Anna "Ann" Smith',
    nick: "Ann",
    born: new Date("1999-04-01T00:00:00.000Z"),
    phones: new Map([["home", "+4930901820"]]),
    code: Option.some("ABC-123"),
    pin: 48151,
    course: "Ethics"
  }

  it("removes sensitive values from a text, also in their JSON form", () => {
    for (const text of [
      `could not greet ${data.name}`,
      `failed on ${JSON.stringify({ name: data.name, nick: data.nick })}`,
      `born ${data.born.toISOString()} or ${data.born.getTime()}`,
      `call ${[...data.phones.values()].join()}`,
      `code ABC-123, pin ${data.pin}`
    ]) {
      const clean = contract.redact(`${text} in Ethics`, data)
      assert.include(clean, "<redacted>")
      for (const secret of ["Ann", "Smith", "1999-04", "922924800000", "+4930", "ABC", "48151"])
        assert.notInclude(clean, secret, text)
      assert.include(clean, "in Ethics")
    }
  })

  it("does not change a text without sensitive values", () =>
    assert.strictEqual(contract.redact("the mail server is down", data), "the mail server is down"))
})

describe("other values", () => {
  const event = Event.make("a.b", {
    version: 1,
    data: Schema.Struct({
      mail: sensitive(Long),
      n: Schema.Finite,
      kind: Schema.Literals(["a", "b"]),
      open: Schema.optionalKey(Schema.String.check(Schema.makeFilter((text: string) => `bad ${text}`)))
    })
  })

  it("are shown to the publisher, who wrote them, next to a hidden one", () => {
    const { message } = failure(
      event.dataCodec.encode({ mail: canary, n: "visible-1", kind: "visible-2", open: "visible-3" })
    )
    assert.include(message, 'data.n: Expected number, got "visible-1"')
    assert.include(message, 'data.kind: Expected "a" | "b", got "visible-2"')
    assert.include(message, "data.open: bad visible-3")
    assert.notInclude(message, canary)
  })

  it("are not shown to the subscriber", () => {
    for (const bad of [
      { mail: long, n: "visible", kind: "a" },
      { mail: long, n: 1, kind: "visible" },
      { mail: long, n: 1, kind: "a", open: "visible" },
      "visible",
      ["visible"]
    ]) {
      const fault = failure(event.dataCodec.decode(1, bad))
      assert.notInclude(fault.message + JSON.stringify(fault), "visible")
    }
  })

  it("all faults are reported to the publisher at once", () => {
    assert.sameMembers(
      failure(event.dataCodec.encode({})).faults.map(({ path }) => path),
      ["data.mail", "data.n", "data.kind"]
    )
  })
})
