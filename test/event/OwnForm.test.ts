/** Reading a body in our own form from its text gives the same as parsing all of it. */
import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import * as SeededRandom from "../../src/bus/support/SeededRandom.ts"
import * as Event from "../../src/event/Event.ts"
import { bodyOf, parse, succeed } from "./support.ts"

const Sent = Event.make("form.sent", {
  version: 3,
  data: Schema.Struct({ text: Schema.String, inner: Schema.Array(Schema.Unknown) }),
  key: ({ text }) => text
})
const type = "form.sent"

const texts = [
  "",
  "a",
  'quo"te',
  "back\\slash",
  ',"data":',
  "é",
  "\u2028",
  "line\n",
  '","time":"',
  "x".repeat(300),
  "}"
]
const ids = [
  "01920000-0000-7000-8000-000000000001",
  "1",
  'a"b',
  "a\\b",
  "é",
  'x","time":"2026-09-07T08:00:00.125Z',
  "y".repeat(90)
]
const pieces = [
  ",", '"', "{", "}", "[", "]", ":", "\\", " ", "\n", "null", '"id":"2",', ',"id":"2"', ',"type":"b.c"', ',"source":"else"',
  ',"specversion":"0.3"', ',"dataschema":"urn:event:form.sent:2"', ',"time":"2020-01-01T00:00:00Z"', ',"data":1', '"data":2,',
  ',"data_base64":"aGk="', ',"subject":"key"', ',"subject":5', ',"subject":null', ',"actor":"u-1"', ',"actorstatus":"on"', ',"tenant":"t"', ',"tenant":7', ',"tenant":""', ',"tenant":true',
  ',"correlationid":"c"', ',"__proto__":{"x":1}', ',"other":{"data":3}', ',"other":["]"]', "\\u005f", "\u0001", "9007199254740993", ",9007199254740993", "0", "9", "Z", "."
] // prettier-ignore

describe("a body in our own form", () => {
  it("P15: is read the same, however it is changed", () => {
    const next = SeededRandom.make(20270203)
    const pick = <A>(list: ReadonlyArray<A>): A => list[Math.floor(next() * list.length)] as A // no list is empty
    const maybe = <A>(make: () => A): A | undefined => (next() < 0.3 ? make() : undefined)
    let same = 0
    for (let round = 0; round < 20_000; round++) {
      const id = pick(ids)
      let body = bodyOf(
        Sent,
        { text: pick(texts), inner: [pick(texts)] },
        {
          id,
          time: Math.floor(next() * 4e12),
          key: maybe(() => pick(texts)),
          correlationId: maybe(() => pick(texts)),
          causationId: maybe(() => pick(texts)),
          actor: maybe(() => ({ id: pick(texts), role: pick(texts) }))
        },
        pick(["one", "two", 'thr"ee'])
      )
      for (let change = next() < 0.3 ? 0 : next() < 0.7 ? 1 : 2; change > 0; change--) {
        // After a comma or a colon most insertions are still JSON.
        const marks = [...body.matchAll(/[,:{}]/g)].map(({ index }) => index)
        const at = next() < 0.7 ? pick(marks) : Math.floor(next() * body.length)
        body = body.slice(0, at) + pick(pieces) + body.slice(next() < 0.7 ? at : at + 1)
      }
      const fast = parse(body, { type, messageId: id })
      // An id property with such a character is not looked for in the text.
      const whole = parse(body, { type, messageId: `${id}é` })
      if (Result.isSuccess(fast) && Result.isSuccess(whole)) {
        // The id of plain JSON comes from the property.
        const isPlain = whole.success.source === ""
        assert.deepStrictEqual({ ...fast.success, ...(isPlain && { id: `${id}é` }) }, whole.success, body)
        same++
      } else {
        assert.deepStrictEqual(String(fast), String(whole), body)
      }
    }
    assert.isAbove(same, 5_000)
  })

  it("is read the same the first time and later", () => {
    const body = bodyOf(Sent, { text: "k", inner: [] })
    const hints = { type, messageId: "01920000-0000-7000-8000-000000000001" }
    assert.deepStrictEqual(parse(body, hints), parse(body))
    assert.deepStrictEqual(parse(body, hints), parse(body))
  })

  it("is refused with an integer that would be rounded, also when its start is known", () => {
    const body = bodyOf(Sent, { text: "k", inner: [1] })
    const hints = { type, messageId: "01920000-0000-7000-8000-000000000001" }
    succeed(parse(body, hints))
    for (const exact of ["9007199254740991", "1152921504606846976", '"9007199254740993"'])
      assert.isTrue(Result.isSuccess(parse(body.replace("[1]", `[${exact}]`), hints)), exact)
    for (const place of ["[9007199254740993]", "[1,-18446744073709551615 ]", '["a:",\n12345678901234567]'])
      assert.include(String(parse(body.replace("[1]", place), hints)), "2^53", place)
  })

  it("P15: trusts no id that only appears to be at its place", () => {
    const id = "01920000-0000-7000-8000-000000000001"
    const body = bodyOf(Sent, { text: "k", inner: [] }, { id })
    parse(body, { type })
    const twice = body.replace(',"time":', ',"time":"2026-01-01T00:00:00.000Z","time":')
    const messageId = `${id}","time":"2026-01-01T00:00:00.000Z`
    assert.strictEqual(succeed(parse(twice, { type, messageId })).id, id)
  })

  it("P15: refuses an empty key that hides a forbidden one, as the full parser does", () => {
    const body = bodyOf(Sent, { text: "k", inner: [] })
    parse(body, { type })
    const messageId = "01920000-0000-7000-8000-000000000001"
    const hiding = body.replace(',"data":', ',"":{"__proto__":{"x":1}},"data":')
    assert.isTrue(Result.isFailure(parse(hiding, { type, messageId })))
    assert.deepStrictEqual(String(parse(hiding, { type, messageId })), String(parse(hiding, { type })))
  })
})
