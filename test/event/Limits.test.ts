/** Outside input forges nothing: no body exhausts memory or stack, or injects a key that changes a prototype (P15). */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { bodyFault, defaults, hidesForbiddenKey, type Limits } from "../../src/event/Limits.ts"
import { failure, json, parse, succeed } from "./support.ts"

const fault = (text: string | Buffer, limits: Limits = defaults) => bodyFault(Buffer.from(text as string), limits)
const hint = { type: "a.b" }
const nest = (depth: number, inner = "1"): string => "[".repeat(depth) + inner + "]".repeat(depth)
const nestObjects = (depth: number): string => '{"a":'.repeat(depth) + "1" + "}".repeat(depth)

/** Depth and number of values of parsed JSON, counted in the obvious way. */
const shape = (value: unknown): { depth: number; values: number } => {
  if (typeof value !== "object" || value === null) return { depth: 0, values: 0 }
  const parts = Object.values(value).map(shape)
  return {
    depth: 1 + Math.max(0, ...parts.map((part) => part.depth)),
    values: 1 + Math.max(0, parts.length - 1) + parts.reduce((sum, part) => sum + part.values, 0)
  }
}

describe("size", () => {
  it("accepts the limit and refuses one byte more", () => {
    const body = (bytes: number) => JSON.stringify("x".repeat(bytes - 2))
    assert.isUndefined(fault(body(defaults.bodyBytes)))
    assert.include(fault(body(defaults.bodyBytes + 1)) ?? "", "1048577 bytes, the limit is 1048576")
    assert.include(fault("") ?? "", "empty")
  })

  it("counts bytes, not characters", () => {
    assert.isUndefined(fault(JSON.stringify("é".repeat(4)), { ...defaults, bodyBytes: 10 }))
    assert.isString(fault(JSON.stringify("é".repeat(5)), { ...defaults, bodyBytes: 10 }))
  })
})

describe("depth", () => {
  it.each([
    ["arrays", nest],
    ["objects", nestObjects]
  ] as const)("accepts 64 levels of %s and refuses 65", (_, make) => {
    assert.isUndefined(fault(make(64)))
    assert.include(fault(make(65)) ?? "", "deeper than 64 levels")
  })

  it("M3: refuses a million levels without a stack overflow, balanced or not", () => {
    const million = { ...defaults, bodyBytes: 10_000_000 }
    for (const text of [
      nest(1_000_000),
      "[".repeat(1_000_000),
      '{"a":'.repeat(1_000_000),
      nestObjects(1_000_000),
      '[{"a":'.repeat(500_000)
    ]) {
      assert.include(failure(parse(text, hint, million)).message, "deeper than 64")
    }
  })

  it("cannot be deceived by closing brackets that were never opened", () => {
    for (const text of ["]".repeat(1000) + nest(1000), "}".repeat(200) + "[".repeat(260), '"]]]]"' + nest(200)]) {
      failure(parse(text, hint))
    }
  })

  it("does not count brackets in strings, whatever is escaped in them", () => {
    for (const text of [
      "[".repeat(200),
      '\\"' + "[".repeat(200),
      "\\".repeat(7) + '"' + "{".repeat(200),
      '"\\\\"' + "[".repeat(99),
      // An escaped backslash at the end: the quote after it does close the string.
      "[".repeat(99) + "\\",
      "\\".repeat(8)
    ]) {
      assert.isUndefined(fault(JSON.stringify({ text, after: [1] })))
      assert.isString(fault(`[${JSON.stringify(text)},${nest(65)}]`))
    }
  })

  it.prop(
    "agrees with a count over the parsed value",
    [json, Schema.Literals([1, 2, 3, 5, 64]), Schema.Literals([3, 10, 1000])],
    ([value, depth, values]) => {
      // Padded, because the shape of a short body is not checked.
      const text = JSON.stringify(value) + " ".repeat(depth * 2)
      const truth = shape(value)
      const refused = fault(text, { ...defaults, depth, values })
      assert.strictEqual(refused !== undefined, truth.depth > depth || truth.values > values, `${refused} ${text}`)
    },
    { arbitrary: { runs: 2000 } }
  )
})

describe("values", () => {
  it("accepts a hundred thousand and refuses more, as elements, keys and empty objects", () => {
    const many = (count: number, item: string) => `[${Array.from({ length: count }, () => item).join(",")}]`
    assert.isUndefined(fault(many(100_000, "1")))
    assert.include(fault(many(100_001, "1")) ?? "", "more than 100000 values")
    assert.include(fault(many(60_000, "{}")) ?? "", "more than 100000 values")
    const keys = `{${Array.from({ length: 100_001 }, (_, i) => `"${i.toString(36)}":1`).join(",")}}`
    assert.include(fault(keys) ?? "", "more than 100000 values")
  })
})

describe("text", () => {
  it("M5: refuses what is not UTF-8", () => {
    for (const bytes of [
      [0xff],
      [0xc3],
      [0xc0, 0x80],
      [0xed, 0xa0, 0x80],
      [0xf5, 0x80, 0x80, 0x80],
      [0x22, 0xe2, 0x82, 0x22]
    ]) {
      assert.include(fault(Buffer.from(bytes)) ?? "", "not UTF-8")
    }
    assert.include(fault(Buffer.from('{"a":1}', "utf16le").subarray(1)) ?? "the parser's", "the parser's")
    failure(parse(Buffer.from('{"a":1}', "utf16le"), hint))
  })

  it("refuses a byte order mark and says so", () =>
    assert.include(failure(parse("\ufeff{}", hint)).message, "byte order mark"))

  it("accepts any text that is UTF-8", () => {
    for (const text of ["😀", "\u0000", "\u2028", "\ud800", "ﷺ".repeat(100)])
      assert.strictEqual(succeed(parse(JSON.stringify(text), hint)).json, text)
  })
})

describe("__proto__", () => {
  const spellings = [
    '"__proto__"',
    String.raw`"\u005f_proto__"`,
    String.raw`"__proto\u005f_"`,
    String.raw`"\u005F\u005F\u0070\u0072\u006f\u0074\u006F\u005f\u005f"`
  ]

  it.each(spellings)("refuses the key %s wherever it is", (key) => {
    for (const text of [
      `{${key}:{"admin":true}}`,
      `[[{"a":{${key}:1}}]]`,
      `{"specversion":"1.0",${key}:1}`,
      `{"a":1,${key} : 1}`,
      `{"x":"\\u0041","y":[0,{${key}:[]}]}`
    ]) {
      assert.include(failure(parse(text, hint)).message, '"__proto__"', text)
    }
  })

  it("accepts the word in a value, where it is only text", () => {
    for (const text of spellings) assert.strictEqual(succeed(parse(`{"post":${text}}`, hint)).json !== undefined, true)
    assert.deepStrictEqual(succeed(parse('{"post":"what is __proto__ ?"}', hint)).json, { post: "what is __proto__ ?" })
  })

  it("M4: leaves other keys alone, and no prototype changes", () => {
    for (const key of ["constructor", "prototype", "toString", "hasOwnProperty", "__defineGetter__", "proto"]) {
      const parsed = succeed(parse(`{"${key}":{"polluted":true}}`, hint)).json
      assert.strictEqual(Object.getPrototypeOf(parsed), Object.prototype)
    }
    assert.isUndefined(Reflect.get({}, "polluted"))
  })

  it("hidesForbiddenKey checks keys only", () => {
    const check = (text: string) => hidesForbiddenKey(text, JSON.parse(text))
    assert.isTrue(check(String.raw`{"\u005f_proto__":1}`))
    assert.isFalse(check(String.raw`{"a":"\u005f_proto__"}`))
    assert.isFalse(check(String.raw`["\u0041"]`))
  })
})

describe("a corpus of malicious bodies", () => {
  it.each([
    "{",
    "}",
    "[",
    "]",
    '"',
    "'a'",
    "{a:1}",
    "{'a':1}",
    '{"a":1,}',
    "[1,]",
    "[,1]",
    "01",
    "+1",
    ".5",
    "1.",
    "0x10",
    "1e",
    "NaN",
    "Infinity",
    "-Infinity",
    "undefined",
    "nul",
    "True",
    '"\\x"',
    '"\\u12"',
    '"\t"',
    '"\u0000"',
    "{}{}",
    "[] []",
    "1 2",
    "// x",
    "/* x */{}",
    "#",
    "<xml/>",
    '{"a" 1}',
    '{"a":}',
    "{:1}",
    "{1:1}",
    "\u00a0{}",
    "{}\u0000",
    "\\",
    '"\\',
    '"\\"',
    '{"a":"' + "b".repeat(5000)
  ])("refuses %j as not JSON, without quoting it", (text) => {
    const invalid = failure(parse(text, hint))
    assert.include(invalid.message, "the body is not JSON")
    assert.strictEqual(invalid.event, "a.b")
  })

  it("never quotes the body", () => {
    for (const text of [
      '{"card":"s3cret',
      "s3cret",
      '{"a":s3cret}',
      '["s3cret",]',
      '{"specversion":"s3cret","type":"a.b","id":"1","source":"x"}',
      '{"specversion":"1.0","type":"s3cret s3cret","id":"1","source":"x"}',
      '{"specversion":"1.0","type":"a.b","id":"1","source":"x","time":"s3cret"}',
      '{"specversion":"1.0","type":"a.b","id":"1","source":"x","dataschema":"urn:event:s3cret"}'
    ]) {
      assert.notInclude(failure(parse(text, hint)).message, "s3cret", text)
    }
  })

  it("M6: refuses integers that would be rounded; other numbers are the contract's to validate", () => {
    assert.include(failure(parse('{"n":[9007199254740993]}', hint)).message, "an integer beyond 2^53 at character 6")
    assert.deepStrictEqual(succeed(parse('{"n":[9007199254740992,1e999,-0,1e-999]}', hint)).json, {
      n: [9007199254740992, Infinity, -0, 0]
    })
    assert.deepStrictEqual(succeed(parse('{"a":1,"a":2}', hint)).json, { a: 2 })
  })

  it.prop("never throws, whatever the bytes", [Schema.Uint8Array], ([bytes]) => {
    parse(Buffer.from(bytes), hint)
    parse(
      Buffer.concat([
        Buffer.from('{"specversion":"1.0","type":"a.b","id":"1","source":"x","data":'),
        Buffer.from(bytes),
        Buffer.from("}")
      ]),
      hint
    )
  })
})
