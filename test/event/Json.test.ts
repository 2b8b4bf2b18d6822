/** Integers of JSON are read exactly or refused, wherever they are; what JSON cannot carry is not published. */
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Result, Schema } from "effect"
import * as Event from "../../src/event/Event.ts"
import type { Fault } from "../../src/event/EventError.ts"
import * as Json from "../../src/event/Json.ts"
import { json } from "./support.ts"

const isRefused = (text: string): boolean => Json.roundedAt(text) !== undefined
const digits = Schema.String.check(Schema.isPattern(/^-?[1-9]\d{0,40}$/u))
/** JSON around a value, so that it is found at any position and after any text. */
const around: ReadonlyArray<(value: string) => string> = [
  (value) => value,
  (value) => `[${value}]`,
  (value) => `{"a":${value}}`,
  (value) => `{"a" : ${value} }`,
  (value) => `[1,\n\t${value}\r\n,2]`,
  (value) => `["\\"",{"text":"a \\\\",\n"n":${value},"after":"\\u0041"}]`
]

describe("integers of JSON", () => {
  it.prop(
    "are refused exactly if JavaScript would round them, wherever they are",
    [digits, Schema.String, json],
    ([integer, text, other]) => {
      const exact =
        String(Number(integer)) === integer ||
        (Number.isFinite(Number(integer)) && BigInt(Number(integer)) === BigInt(integer))
      for (const make of around) {
        const written = make(integer)
        assert.strictEqual(isRefused(written), !exact, written)
        const longer = `[${JSON.stringify(text)},${written},${JSON.stringify(other)}]`
        assert.strictEqual(isRefused(longer), !exact, longer)
      }
    },
    { arbitrary: { runs: 1000 } }
  )

  it.prop(
    "that JavaScript wrote are never refused, nor are digits in a string",
    [json, Arbitrary.schema(Schema.Array(Schema.Finite)), digits],
    ([value, numbers, integer]) => {
      const text = `, ${integer} ,`
      assert.isFalse(isRefused(JSON.stringify({ value, numbers, text, [text]: [`[${integer}]`, `":${integer},"`] })))
    },
    { arbitrary: { runs: 1000 } }
  )

  it("are exact up to 2^53, and beyond it where the value is the same", () => {
    for (const exact of [
      "9007199254740991",
      "-9007199254740992",
      "9007199254740994",
      "1152921504606846976",
      "18446744073709552000",
      "1180591620717411303424",
      "1e300",
      "0.12345678901234567890",
      "12345678901234567890.5"
    ])
      assert.isFalse(isRefused(exact), exact)
    for (const rounded of ["9007199254740993", "-9007199254740993", "18446744073709551615", "9".repeat(400)])
      assert.isTrue(isRefused(rounded), rounded)
  })

  it("are named by their place and never quoted, with a remedy", () => {
    const refused = Json.parse(`{"secret":9007199254740993}`, "the body")
    assert.deepStrictEqual(
      refused,
      Result.fail(
        "the body has an integer beyond 2^53 at character 10, which JavaScript would round: send it as a string"
      )
    )
  })

  it("cost little in a text of digits alone", () => {
    const text = `["${"1".repeat(500_000)}","${"12345678901234567 ".repeat(20_000)}"]`
    assert.isFalse(isRefused(text))
  })
})

describe("a field of any shape", () => {
  const Noted = Event.make("diary.noted", {
    version: 1,
    data: Schema.Struct({ entry: Schema.Any, more: Schema.optional(Schema.Array(Schema.Struct({ deep: Schema.Any }))) })
  })
  const faultOf = (data: typeof Noted.Type): Fault | undefined => {
    const encoded = Noted.dataCodec.encode(data)
    return Result.isFailure(encoded) ? encoded.failure.faults[0] : undefined
  }

  it("holds what JSON keeps, and no more: what JSON changes or leaves out is invalid at its place", () => {
    class Row {
      n = 1
    }
    const cycle: Record<string, unknown> = {}
    cycle["self"] = cycle
    for (const entry of [null, true, -1.5, "", "text", [], {}, [1, [null, { a: "b" }]], Object.create(null), cycle])
      assert.isUndefined(faultOf({ entry }), typeof entry)
    for (const entry of [
      undefined,
      () => 1,
      Symbol("s"),
      1n,
      Number.NaN,
      Number.POSITIVE_INFINITY,
      new Map([["a", 1]]),
      new Set([1]),
      new Date(),
      new Date(Number.NaN),
      new Error("e"),
      new Uint8Array(1),
      new Row(),
      Array(3)
    ]) {
      assert.match(faultOf({ entry })?.path ?? "", /^data\.entry(\.0)?$/, String(entry))
      assert.strictEqual(faultOf({ entry: { list: [1, entry] } })?.path.slice(0, 17), "data.entry.list.1")
      assert.strictEqual(
        faultOf({ entry: 1, more: [{ deep: 1 }, { deep: entry }] })?.path.slice(0, 16),
        "data.more.1.deep"
      )
    }
  })
})
