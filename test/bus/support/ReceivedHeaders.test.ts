/** Bounds on the headers of a received event. */
import { assert, describe, it } from "@effect/vitest"
import * as ReceivedHeaders from "../../../src/bus/support/ReceivedHeaders.ts"

const many = (count: number, value: unknown = "v") =>
  Object.fromEntries(Array.from({ length: count }, (_, n) => [`h-${n}`, value]))
const kept = (headers: Readonly<Record<string, unknown>>) => {
  const bounded = ReceivedHeaders.bound(headers)
  return bounded === undefined ? "all" : [Object.keys(bounded.headers).length, bounded.dropped]
}

describe("received headers", () => {
  it("P13: at most 64 are kept, and 8 KiB; the rest is counted", () => {
    assert.strictEqual(kept({}), "all")
    assert.strictEqual(kept(many(64)), "all")
    assert.deepStrictEqual(kept(many(100)), [64, 36])
    assert.strictEqual(kept({ a: "x".repeat(8191) }), "all")
    assert.deepStrictEqual(kept({ a: "x".repeat(8192) }), [0, 1])
    assert.deepStrictEqual(kept({ first: 1, large: "x".repeat(60_000), small: true }), [2, 1])
    // Two bytes each, and three.
    assert.strictEqual(kept({ a: "é".repeat(4095) }), "all")
    assert.deepStrictEqual(kept({ a: "€".repeat(2731) }), [0, 1])
  })

  it("P13: tables and lists in them count with all that is in them", () => {
    assert.strictEqual(kept({ list: [1, "two", { three: null }] }), "all")
    assert.deepStrictEqual(kept({ list: Array.from({ length: 2000 }, () => "12345"), b: 1 }), [1, 1])
    assert.deepStrictEqual(kept({ bytes: new Uint8Array(9000), b: 1 }), [1, 1])
    assert.deepStrictEqual(kept({ nested: { deep: { text: "x".repeat(9000) } } }), [0, 1])
  })

  it("what the runtime writes on an event is kept beside them, while it is short", () => {
    const own = {
      traceparent: "t".repeat(55),
      tracestate: "s".repeat(512),
      "bus-delayed": true,
      "bus-signature": "1:x"
    }
    const bounded = ReceivedHeaders.bound({ ...many(100), ...own })
    assert.deepInclude(bounded?.headers, own)
    assert.strictEqual(bounded?.dropped, 36)
    assert.deepStrictEqual(kept({ tracestate: "s".repeat(60_000) }), [0, 1])
  })

  it("a small table is not looked at", () => {
    assert.isFalse(ReceivedHeaders.mayExceed(66))
    assert.isTrue(ReceivedHeaders.mayExceed(8192))
  })
})
