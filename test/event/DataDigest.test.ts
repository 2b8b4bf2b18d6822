/** Two events with one identity differ by their data, and by nothing else. */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as DataDigest from "../../src/event/DataDigest.ts"

describe("a digest of data", () => {
  it("depends neither on the order of fields nor on spaces", () => {
    const one = DataDigest.of(JSON.parse('{"a":1,"b":{"c":[1,2],"d":null}}'))
    assert.strictEqual(DataDigest.of(JSON.parse('{ "b": {"d":null,"c":[1, 2]}, "a": 1 }')), one)
    assert.match(one, /^[A-Za-z0-9_-]{12}$/)
  })

  it("differs for other data, of other kinds too", () => {
    const all = [
      1,
      "1",
      null,
      undefined,
      true,
      [],
      {},
      [1],
      ["1"],
      { a: 1 },
      { a: "1" },
      { "a:1,b": 1 },
      [[1], 2],
      [1, [2]]
    ]
    const bytes = [new Uint8Array([1]), new Uint8Array([49]), new Uint8Array()]
    const digests = [...all, ...bytes].map(DataDigest.of)
    assert.strictEqual(new Set(digests).size, digests.length)
  })

  it.prop("is the same for the same JSON", { json: Schema.Json }, ({ json }) => {
    assert.strictEqual(DataDigest.of(JSON.parse(JSON.stringify(json))), DataDigest.of(json))
  })
})
