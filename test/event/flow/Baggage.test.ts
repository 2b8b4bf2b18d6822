/** W3C Baggage as it is written and read, against the grammar of https://www.w3.org/TR/baggage/#header-content (P15). */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { Baggage, cut, fromInput } from "../../../src/event/flow/Baggage.ts"
import * as Limits from "../../../src/event/Limits.ts"

// The ABNF, word by word.
const ows = "[ \\t]*"
const token = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+"
const value = "[\\x21\\x23-\\x2b\\x2d-\\x3a\\x3c-\\x5b\\x5d-\\x7e]*"
const property = `${token}(?:${ows}=${ows}${value})?`
const member = `${token}${ows}=${ows}${value}(?:${ows};${ows}${property})*`
const baggageString = new RegExp(`^${member}(?:${ows},${ows}${member}){0,179}$`)

const tokenCharacters = "!#$%&'*+-.^_`|~09AZaz"
const octets = "!#+-:<[]~%=&azAZ09(/?@^_`{|}"
const of = (characters: string, least: number, most: number) =>
  Schema.Array(Schema.Literals([...characters])).check(Schema.isMinLength(least), Schema.isMaxLength(most))
const joined = (letters: ReadonlyArray<string>): string => letters.join("")

const Token = of(tokenCharacters, 1, 6)
const Text = Schema.String.check(Schema.isMaxLength(12))
const Written = Schema.Array(
  Schema.Struct({
    key: Token,
    value: Text,
    properties: Schema.Array(Schema.Struct({ key: Token, value: Schema.UndefinedOr(Text) })).check(
      Schema.isMaxLength(2)
    )
  })
).check(Schema.isMinLength(1), Schema.isMaxLength(8))

/** A header as another program may write it: its parts, with white space wherever the grammar has some. */
const Space = of(" \t", 0, 2)
const Foreign = Schema.Array(
  Schema.Struct({
    key: Token,
    value: of(octets, 0, 8),
    spaces: Schema.Tuple([Space, Space, Space, Space]),
    properties: Schema.Array(
      Schema.Struct({ key: Token, value: Schema.UndefinedOr(of(octets, 0, 4)), before: Space, behind: Space })
    ).check(Schema.isMaxLength(2))
  })
).check(Schema.isMinLength(1), Schema.isMaxLength(6))

/** Another way to decode: by bytes. */
const decoded = (text: string): string => {
  const bytes: Array<number> = []
  for (let at = 0; at < text.length; at++) {
    const escape = /^%([0-9a-f]{2})/i.exec(text.slice(at, at + 3))?.[1]
    bytes.push(escape === undefined ? text.charCodeAt(at) : Number.parseInt(escape, 16))
    if (escape !== undefined) at += 2
  }
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(new Uint8Array(bytes))
}

describe("baggage", () => {
  it.prop(
    "is written by the grammar, and read back as it was given, whatever its values are",
    [Written],
    ([given]) => {
      const members = given.map(({ key, properties, value: text }) => ({
        key: joined(key),
        value: text.toWellFormed(),
        properties: properties.map((one) => ({ key: joined(one.key), value: one.value?.toWellFormed() }))
      }))
      let baggage = Baggage.empty
      for (const one of members) baggage = baggage.with(one.key, one.value, one.properties)
      const last = members.filter(({ key }, n) => members.findLastIndex((other) => other.key === key) === n)
      assert.match(baggage.text, baggageString)
      assert.strictEqual(baggage.fault, undefined)
      const plain = Baggage.read(baggage.text).members.map(({ key, properties, value: text }) => ({
        key,
        value: text,
        properties
      }))
      assert.deepStrictEqual(plain, last)
    },
    { arbitrary: { runs: 1000 } }
  )

  it.prop(
    "of another program is read as the grammar says, and passed on in its own bytes",
    [Foreign],
    ([parts]) => {
      const texts = parts.map(({ key, properties, spaces: [a, b, c, d], value: text }) => {
        const own = properties.map(
          (one) =>
            `${joined(one.before)};${joined(one.behind)}${joined(one.key)}${one.value === undefined ? "" : `=${joined(one.value)}`}`
        )
        return {
          inner: `${joined(key)}${joined(a)}=${joined(b)}${joined(text)}${own.join("")}`,
          around: [joined(c), joined(d)] as const
        }
      })
      const header = texts
        .map(({ around: [before, behind], inner }, n) => (n === 0 ? inner : `${before},${behind}${inner}`))
        .join("")
      assert.match(header, baggageString)
      const baggage = Baggage.read(header)
      assert.deepStrictEqual(
        baggage.members.map(({ key, properties, value: text }) => ({ key, value: text, properties })),
        parts.map(({ key, properties, value: text }) => ({
          key: joined(key),
          value: decoded(joined(text)),
          properties: properties.map((one) => ({
            key: joined(one.key),
            value: one.value === undefined ? undefined : decoded(joined(one.value))
          }))
        }))
      )
      assert.strictEqual(baggage.text, texts.map(({ inner }) => inner.trim()).join(","))
    },
    { arbitrary: { runs: 1000 } }
  )

  it.prop(
    "of any text keeps what the grammar has, within its bounds, and nothing else",
    [Schema.Array(Schema.Literals([...`${octets}${tokenCharacters},;= \t"\\`, "é", "\u0000", "%e2%82%ac", "a=1,"]))],
    ([letters]) => {
      const { text } = Baggage.read(joined(letters))
      if (text !== "") assert.match(text, baggageString)
      assert.strictEqual(Baggage.read(text).text, text)
    },
    { arbitrary: { runs: 1000 } }
  )

  it.each([
    ["%E2%82%AC", "€"],
    ["%e2%82%ac", "€"],
    ["100%25", "100%"],
    ["%", "%"],
    ["%4", "%4"],
    ["%zz", "%zz"],
    ["%ff", "\ufffd"],
    ["a%c3%28b", "a\ufffd(b"],
    ["%EF%BB%BFa", "\ufeffa"],
    ["a+b", "a+b"],
    ["a=b==", "a=b=="],
    ["", ""]
  ])("the value %s is %j", (written, expected) => {
    assert.strictEqual(Baggage.read(`k=${written}`).get("k"), expected)
  })

  it.each([
    ["a=1,b c=2,d=3", "a=1,d=3"],
    ["a=1,,d=3", "a=1,d=3"],
    ["a,d=3", "d=3"],
    ["=1,d=3", "d=3"],
    ["a=1 2,d=3", "d=3"],
    ['a="1",d=3', "d=3"],
    ["a=1\\,d=3", "d=3"],
    ["a=é,d=3", "d=3"],
    ["a=1;,d=3", "d=3"],
    ["a=1;p q,d=3", "d=3"],
    ["a=1;p=\n,d=3", "d=3"],
    ["\u00a0a=1,d=3", "d=3"],
    [" \t a \t = \t 1 \t ; p = 2 \t ,d=3", "a \t = \t 1 \t ; p = 2,d=3"],
    [`a${" ".repeat(4000)}b=1,d=3`, "d=3"],
    [" ", ""]
  ])("of %j is kept %j", (header, kept) => {
    assert.strictEqual(Baggage.read(header).text, kept)
  })

  it("is cut between two members, at 180 of them and at 8,192 bytes", () => {
    const many = (count: number) => Array.from({ length: count }, (_, n) => `k${n}=1`).join(",")
    assert.strictEqual(cut(many(180)), many(180))
    assert.strictEqual(cut(many(181)), many(180))
    assert.strictEqual(Baggage.read(many(10_000)).members.length, 180)
    const filled = (bytes: number) => `a=1,b=${"x".repeat(bytes - 6)}`
    assert.strictEqual(cut(filled(8192)), filled(8192))
    assert.strictEqual(cut(filled(8193)), "a=1")
    assert.strictEqual(cut("x".repeat(8193)), "")
    // Two bytes each, and no member of the grammar.
    assert.strictEqual(cut(`a=1,b=${"é".repeat(4094)}`), "a=1")
    assert.strictEqual(cut(`a=1,b=${"é".repeat(4093)}`), `a=1,b=${"é".repeat(4093)}`)
  })

  it("of ours beyond the bounds names its size and what to do, and is not cut", () => {
    const large = Baggage.of({ note: "x".repeat(9000) })
    assert.match(large.fault ?? "", /9005 bytes, at most 8192 are allowed: carry an id/)
    const many = Baggage.of(Object.fromEntries(Array.from({ length: 181 }, (_, n) => [`k${n}`, "1"])))
    assert.match(many.fault ?? "", /181 members, at most 180 are allowed: carry fewer/)
    assert.match(Baggage.of({ "a b": "1" }).fault ?? "", /expected keys of letters/)
    assert.match(Baggage.empty.with("a", "1", [{ key: "p q", value: undefined }]).fault ?? "", /expected keys/)
    const full = Baggage.of({ note: "x".repeat(Limits.maxBaggageBytes - 5) })
    assert.strictEqual(full.fault, undefined)
    assert.strictEqual(full.text.length, Limits.maxBaggageBytes)
  })

  it("changes one key and keeps the bytes, the properties and the order of the others", () => {
    const received = Baggage.read("a=%41;ttl=30 , b=2,a=3,c=%2F")
    assert.strictEqual(received.get("a"), "3")
    assert.strictEqual(received.get("none"), undefined)
    assert.strictEqual(received.with("b", "x/y").text, "a=%41;ttl=30,a=3,c=%2F,b=x%2Fy")
    assert.strictEqual(received.without("a").text, "b=2,c=%2F")
    assert.strictEqual(received.text, "a=%41;ttl=30,b=2,a=3,c=%2F")
    assert.deepStrictEqual(received.members[0]?.properties, [{ key: "ttl", value: "30" }])
    assert.strictEqual(Baggage.empty.with("a", "1", [{ key: "p", value: undefined }]).text, "a=1;p")
  })

  it("is taken from an object of texts, and from nothing else", () => {
    assert.strictEqual(fromInput({ a: "1" })?.text, "a=1")
    assert.strictEqual(fromInput(Baggage.empty), Baggage.empty)
    for (const wrong of ["a=1", 7, null, ["a"], { a: 1 }, undefined]) assert.strictEqual(fromInput(wrong), undefined)
  })
})
