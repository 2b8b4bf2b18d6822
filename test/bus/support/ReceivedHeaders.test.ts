/** Bounds on the headers of a received event. */
import { assert, describe, it } from "@effect/vitest"
import * as ReceivedHeaders from "../../../src/bus/support/ReceivedHeaders.ts"
import { upTo } from "../../../src/ports/conformance/setup/TestEvents.ts"

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

const traceparent = `00-${"1".repeat(32)}-${"2".repeat(16)}-01`
const full = `a=${"x".repeat(8190)}`

describe("received baggage", () => {
  it("P13: is kept whole within 8 KiB of its own, beside 8 KiB of others", () => {
    assert.isUndefined(ReceivedHeaders.bound({}))
    assert.isUndefined(ReceivedHeaders.bound({ own: 1, traceparent }))
    assert.isUndefined(ReceivedHeaders.bound({ own: "x".repeat(8180), traceparent, baggage: full }))
    assert.isUndefined(ReceivedHeaders.bound({ baggage: Buffer.from(full) }))
  })

  it("P13: loses the members that are beyond its bounds, which counts as one header", () => {
    const many = upTo(200).map((n) => `k${n}=1`)
    assert.deepStrictEqual(
      { ...ReceivedHeaders.bound({ own: 1, baggage: many.join() })?.headers },
      {
        own: 1,
        baggage: many.slice(0, 180).join()
      }
    )
    assert.strictEqual(ReceivedHeaders.bound({ own: 1, baggage: many.join() })?.dropped, 1)
    assert.deepStrictEqual({ ...ReceivedHeaders.bound({ baggage: `${full},b=1` })?.headers }, { baggage: full })
    assert.deepStrictEqual(
      { ...ReceivedHeaders.bound({ baggage: Buffer.from(`${full},b=1`) })?.headers },
      { baggage: full }
    )
  })

  it("is dropped where it is no text, and the bounds of others are what they are without it", () => {
    for (const wrong of [7, { a: 1 }, ["a=1"], null]) {
      const bounded = ReceivedHeaders.bound({ own: 1, baggage: wrong })
      assert.deepStrictEqual([{ ...bounded?.headers }, bounded?.dropped], [{ own: 1 }, 1])
    }
    const others = Object.fromEntries(upTo(70).map((n) => [`h-${n}`, n]))
    const bounded = ReceivedHeaders.bound({ ...others, baggage: "a=1", traceparent })
    assert.deepStrictEqual(
      { ...bounded?.headers },
      { ...Object.fromEntries(Object.entries(others).slice(0, 64)), traceparent, baggage: "a=1" }
    )
    assert.strictEqual(bounded?.dropped, 6)
  })
})
