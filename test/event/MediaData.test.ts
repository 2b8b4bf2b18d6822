/** `data_base64` is decoded by `datacontenttype`, and its contract decides what bytes are. */
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Result, Schema } from "effect"
import type { DataSchema } from "../../src/event/standard/StandardSchema.ts"
import * as Event from "../../src/event/Event.ts"
import * as WireFormat from "../../src/event/WireFormat.ts"
import { failure, json, parse, succeed } from "./support.ts"

const Stored = Event.make("scan.stored", { version: 1, data: Schema.Struct({ page: Schema.Finite }) })
const Optional = Event.make("scan.stored", {
  version: 1,
  data: Schema.Struct({ page: Schema.optional(Schema.Finite) })
})
const Noted = Event.make("scan.stored", { version: 1, data: Schema.String })
const Bytes = Event.make("scan.stored", { version: 1, data: Schema.Uint8Array })
const Anything = Event.make("scan.stored", { version: 1, data: Schema.Json })

const body = (datacontenttype: unknown, bytes: Uint8Array | string, more: object = {}): string =>
  JSON.stringify({
    specversion: "1.0",
    id: "1",
    source: "/scanner",
    type: "scan.stored",
    datacontenttype,
    data_base64: typeof bytes === "string" ? bytes : Buffer.from(bytes).toString("base64"),
    ...more
  })
const read = (event: Event.Any, type: unknown, bytes: Uint8Array): unknown =>
  succeed(WireFormat.decode(succeed(parse(body(type, bytes))), event)).data
const refusal = (text: string, event: Event.Any = Stored): string => {
  const parsed = parse(text)
  return (Result.isFailure(parsed) ? parsed.failure : failure(WireFormat.decode(parsed.success, event))).message
}

const jsonTypes = [
  "application/json",
  "Application/JSON; charset=utf-8",
  "text/json",
  "application/vnd.library.v1+json",
  " application/problem+json ;a=b"
]

describe("data_base64", () => {
  it.prop(
    "is JSON by its media type",
    [json, Arbitrary.schema(Schema.Literals(jsonTypes as [string, ...Array<string>]))],
    ([value, type]) => {
      const written = JSON.stringify(value)
      assert.deepStrictEqual(read(Anything, type, Buffer.from(written)), JSON.parse(written))
    },
    { arbitrary: { runs: 500 } }
  )

  it("is decoded by its contract when it is JSON", () => {
    for (const type of jsonTypes) assert.deepStrictEqual(read(Stored, type, Buffer.from('{"page":7}')), { page: 7 })
    assert.deepStrictEqual(read(Bytes, "application/json", Buffer.from('"AQID"')), new Uint8Array([1, 2, 3]))
    assert.include(refusal(body("application/json", Buffer.from('{"page":"7"}'))), "data.page")
  })

  it.prop("is text by its media type", [Schema.String], ([text]) => {
    const sent = text.toWellFormed().replaceAll("\ufeff", "")
    assert.strictEqual(read(Noted, "text/plain", Buffer.from(sent)), sent)
    assert.strictEqual(read(Noted, 'text/xml; charset="UTF-8"', Buffer.from(sent)), sent)
  })

  it("is text in the charset that is named", () => {
    assert.strictEqual(read(Noted, "text/plain; charset=iso-8859-1", new Uint8Array([0xe9])), "é")
    assert.strictEqual(read(Noted, "text/plain;charset=utf-16le", Buffer.from("né", "utf16le")), "né")
    assert.include(refusal(body("text/plain; charset=klingon", Buffer.from("x")), Noted), 'charset "klingon"')
    assert.include(refusal(body("text/plain", new Uint8Array([0xff])), Noted), 'charset "utf-8": send UTF-8')
  })

  it.prop("is bytes otherwise", [Schema.Uint8Array], ([bytes]) => {
    for (const type of [undefined, null, "image/png", "application/octet-stream", "application/xml", "json", ""])
      assert.deepStrictEqual(read(Bytes, type, bytes), bytes, String(type))
  })

  it("is bytes for the schemas that mean them, also through a transformation or an older version", () => {
    const bytes = new Uint8Array([1, 2, 255])
    const event = (data: DataSchema) => Event.make("scan.stored", { version: 1, data })
    for (const data of [
      Schema.Uint8ArrayFromBase64,
      Schema.Uint8ArrayFromHex,
      Schema.Unknown,
      Schema.Union([Schema.String, Schema.Uint8Array]),
      Schema.Uint8Array.check(Schema.makeFilter((value) => value.length === 3))
    ])
      assert.deepStrictEqual(read(event(data), "image/png", bytes), bytes)
    const Newer = Event.make("scan.stored", {
      version: 2,
      data: Schema.Struct({ size: Schema.Finite }),
      previous: [{ version: 1, data: Schema.Uint8Array, up: (old) => ({ size: old.length }) }]
    })
    const parsed = succeed(parse(body("image/png", bytes, { dataschema: "urn:event:scan.stored:1" })))
    assert.deepStrictEqual(succeed(WireFormat.decode(parsed, Newer)).data, { size: 3 })
  })

  it("is never base64 text or an empty object for a contract of something else", () => {
    for (const event of [Noted, Stored, Optional])
      assert.include(
        refusal(body("image/png", new Uint8Array([1, 2, 3])), event),
        "data: expected JSON or text, got bytes"
      )
  })

  it("is refused if it is not base64, not what its media type says, or beside data", () => {
    for (const bad of ["A", "AQID=", "AQI", "AQ ID", "-_-_", "AQID\n", "é"])
      assert.include(refusal(body("image/png", bad), Bytes), "data_base64: expected base64 text", bad)
    for (const bad of [1, {}, [], true])
      assert.include(refusal(body(undefined, "", { data_base64: bad })), "data_base64: expected base64 text")
    assert.include(refusal(body("application/json", Buffer.from("{"))), "data_base64: the data is not JSON")
    assert.include(refusal(body("image/png", "AQID", { data: 1 })), "either data or data_base64")
    assert.include(refusal(body(7, "AQID")), "datacontenttype")
  })

  it("P15: hides nothing from the limits", () => {
    const inner = (text: string): string => refusal(body("application/json", Buffer.from(text)))
    assert.include(inner("[".repeat(100) + "]".repeat(100)), "deeper than 64")
    assert.include(inner('{"__proto__":{"admin":true}}'), '"__proto__"')
    assert.include(inner("[9007199254740993]"), "2^53")
    assert.include(refusal(body("application/json", new Uint8Array([0x22, 0xff, 0x22]))), "UTF-8")
  })
})

describe("a content encoding", () => {
  const bytes = '{"page":1}'
  it("of none, or the name of a charset, is no encoding", () => {
    for (const contentEncoding of ["", "identity", "binary", "8bit", "utf-8", "UTF-8", "utf8", "us-ascii", "latin1"])
      succeed(parse(bytes, { type: Stored.name, contentEncoding }))
  })

  it("of any other kind is refused by name, whatever the body is", () => {
    for (const contentEncoding of ["gzip", "GZIP", "x-gzip", "deflate", "br", "zstd", "aes128gcm", "gzip:UTF-8"])
      for (const contentType of ["application/json", "image/png", WireFormat.contentType])
        assert.include(
          failure(parse(bytes, { type: Stored.name, contentEncoding, contentType })).message,
          `content encoding is "${contentEncoding}"`
        )
  })
})
