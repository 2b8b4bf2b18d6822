/** Groups: matching at run time and compile time, decoding, and distinct names. */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { expectTypeOf } from "vitest"
import type * as Envelope from "../../src/event/Envelope.ts"
import * as Event from "../../src/event/Event.ts"
import { EventDefinitionError, InvalidEvent, UnknownEvent, UnknownVersion } from "../../src/event/EventError.ts"
import * as EventGroup from "../../src/event/EventGroup.ts"
import type { NameOf } from "../../src/event/Name.ts"
import { bodyOf, failure, succeed } from "./support.ts"

const make = <const Name extends string>(name: Name) =>
  Event.make(name, { version: 1, data: Schema.Struct({ n: Schema.Finite }) })
const Posted = make("academic.grade.posted")
const Revised = make("academic.grade.revised")
const Enrolled = make("academic.course.enrolled")
const Academic = make("academic")
const Mail = Event.make("mail.posted", { version: 1, data: Schema.Struct({ to: Schema.String }) })
const all = EventGroup.make(Posted, Revised, Enrolled, Academic, Mail)

type All = "academic.grade.posted" | "academic.grade.revised" | "academic.course.enrolled" | "academic" | "mail.posted"
type Names<M> = M extends { readonly events: ReadonlyArray<infer E extends Event.Any> } ? E["name"] : never

describe("match", () => {
  const names = (pattern: string) => all.match(pattern).events.map((event: Event.Any) => event.name)

  it("returns the contracts that match a pattern, in order", () => {
    assert.deepStrictEqual(names("academic.grade.#"), [Posted.name, Revised.name])
    assert.deepStrictEqual(names("academic.#"), [Posted.name, Revised.name, Enrolled.name, Academic.name])
    assert.deepStrictEqual(names("#.posted"), [Posted.name, Mail.name])
    assert.deepStrictEqual(names("academic.*.posted"), [Posted.name])
    assert.deepStrictEqual(names("*"), [Academic.name])
    assert.deepStrictEqual(
      names("#"),
      all.events.map((event) => event.name)
    )
    assert.deepStrictEqual(names("mail.posted"), [Mail.name])
    assert.strictEqual(all.match("academic.grade.#").pattern, "academic.grade.#")
  })

  it("reports the names of the group if nothing matches, and refuses invalid patterns", () => {
    assert.throws(
      () => all.match("kyc.#"),
      /no event of this group matches this pattern.*Its events are academic\.grade\.posted/
    )
    assert.throws(() => all.match("**"), /this is not a topic pattern/)
    assert.throws(() => EventGroup.make().match("#"), /no event of this group/)
  })

  it("has the types of the matching contracts", () => {
    const grades = all.match("academic.grade.#")
    expectTypeOf<Names<typeof grades>>().toEqualTypeOf<"academic.grade.posted" | "academic.grade.revised">()
    const exact = all.match("mail.posted")
    expectTypeOf<(typeof exact.events)[number]["Type"]>().toEqualTypeOf<{ readonly to: string }>()
    const academic = all.match("academic.#")
    expectTypeOf<Names<typeof academic>>().toEqualTypeOf<Exclude<All, "mail.posted">>()
    const everything = all.match("#")
    expectTypeOf<Names<typeof everything>>().toEqualTypeOf<All>()
    const posted = all.match("#.posted")
    expectTypeOf<Names<typeof posted>>().toEqualTypeOf<"academic.grade.posted" | "mail.posted">()
    const ends = all.match("academic.*.posted")
    expectTypeOf<Names<typeof ends>>().toEqualTypeOf<"academic.grade.posted">()
  })

  it("types are never narrower than the events that arrive: # may stand for no word at all", () => {
    expectTypeOf<"a.b" extends NameOf<"a.#.b"> ? true : false>().toEqualTypeOf<true>()
    expectTypeOf<"a.x.y.b" extends NameOf<"a.#.b"> ? true : false>().toEqualTypeOf<true>()
    expectTypeOf<"b" extends NameOf<"#.b"> ? true : false>().toEqualTypeOf<true>()
    expectTypeOf<"x.b" extends NameOf<"#.b"> ? true : false>().toEqualTypeOf<true>()
    expectTypeOf<"a" extends NameOf<"a.#"> ? true : false>().toEqualTypeOf<true>()
    expectTypeOf<"a" extends NameOf<"a.#.#"> ? true : false>().toEqualTypeOf<true>()
    expectTypeOf<"a" extends NameOf<"#.a.#"> ? true : false>().toEqualTypeOf<true>()
    expectTypeOf<"x.a.y" extends NameOf<"#.a.#"> ? true : false>().toEqualTypeOf<true>()
    expectTypeOf<"a" extends NameOf<"*.#"> ? true : false>().toEqualTypeOf<true>()
    expectTypeOf<"a.b.c" extends NameOf<"*.#.c"> ? true : false>().toEqualTypeOf<true>()
    expectTypeOf<"a.c" extends NameOf<"*.#.c"> ? true : false>().toEqualTypeOf<true>()
    expectTypeOf<"b.a" extends NameOf<"a.#"> ? true : false>().toEqualTypeOf<false>()
    expectTypeOf<"ab" extends NameOf<"a.#"> ? true : false>().toEqualTypeOf<false>()
    expectTypeOf<"a.c" extends NameOf<"a.#.b"> ? true : false>().toEqualTypeOf<false>()
    const Short = EventGroup.make(make("posted"), make("a.posted")).match("#.posted")
    expectTypeOf<Names<typeof Short>>().toEqualTypeOf<"posted" | "a.posted">()
    assert.strictEqual(Short.events.length, 2)
  })
})

describe("make", () => {
  it("refuses two contracts with the same name", () => {
    assert.throws(() => EventGroup.make(Posted, Mail, Posted), EventDefinitionError)
    assert.throws(
      () => EventGroup.make(Posted, make("academic.grade.posted")),
      /two contracts of this group have this name/
    )
  })

  it("returns contracts by name, and nothing for names such as constructor", () => {
    assert.strictEqual<unknown>(all.get("mail.posted"), Mail)
    for (const name of ["nothing", "toString", "__proto__", "constructor", ""]) assert.isUndefined(all.get(name))
  })
})

describe("decode", () => {
  it("returns a union discriminated by type", () => {
    const envelope = succeed(all.decode(Buffer.from(bodyOf(Mail, { to: "x" }))))
    expectTypeOf(envelope).toEqualTypeOf<Envelope.Of<(typeof all.events)[number]>>()
    if (envelope.type === "mail.posted") {
      expectTypeOf(envelope.data).toEqualTypeOf<{ readonly to: string }>()
      assert.strictEqual(envelope.data.to, "x")
    } else {
      expectTypeOf(envelope.data).toEqualTypeOf<{ readonly n: number }>()
      assert.fail(envelope.type)
    }
  })

  it("reads a view into a larger buffer", () => {
    const body = Buffer.from(bodyOf(Mail, { to: "x" }))
    const larger = new Uint8Array(body.length + 20).fill(0x7b)
    larger.set(body, 7)
    assert.strictEqual(succeed(all.decode(larger.subarray(7, 7 + body.length))).type, "mail.posted")
  })

  it("distinguishes the three ways to fail", () => {
    const body = (type: string, version: number) =>
      Buffer.from(
        JSON.stringify({
          specversion: "1.0",
          id: "1",
          source: "x",
          type,
          dataschema: `urn:event:${type}:${version}`,
          data: {}
        })
      )
    assert.instanceOf(failure(all.decode(body("kyc.x", 1))), UnknownEvent)
    assert.include(failure(all.decode(body("kyc.x", 1))).message, '"kyc.x" has no contract here')
    assert.instanceOf(failure(all.decode(body("mail.posted", 2))), UnknownVersion)
    assert.instanceOf(failure(all.decode(body("mail.posted", 1))), InvalidEvent)
    assert.instanceOf(failure(all.decode(Buffer.from("{"))), InvalidEvent)
    assert.instanceOf(failure(all.decode(new Uint8Array(0))), InvalidEvent)
  })
})

describe("jsonSchema", () => {
  it("describes the data of each event in its wire form", () => {
    const Dated = Event.make("a.dated", {
      version: 1,
      data: Schema.Struct({ at: Schema.Date, n: Schema.optionalKey(Schema.Int), bytes: Schema.Uint8Array })
    })
    const { schema } = EventGroup.make(Dated, Mail).jsonSchema()["a.dated"]!
    assert.deepInclude(schema, { type: "object", required: ["at", "bytes"] })
    assert.deepNestedInclude(schema, {
      "properties.at.type": "string",
      "properties.n.type": "integer",
      "properties.bytes.type": "string"
    })
  })
})
