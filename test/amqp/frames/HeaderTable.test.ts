/** Whether a table fits into a frame, counted in bytes and not in characters. */
import { assert, describe, it } from "@effect/vitest"
import { fault, limitFor } from "../../../src/amqp/frames/HeaderTable.ts"

describe("HeaderTable", () => {
  it("counts bytes only when it is close", () => {
    const limit = 1000
    assert.isUndefined(fault({}, limit))
    assert.isUndefined(fault({ text: "a".repeat(980), n: 1 }, 1020))
    assert.isUndefined(fault({ text: "a".repeat(980) }, limit))
    assert.isString(fault({ text: "é".repeat(500) }, limit))
    assert.isString(fault({ ["k".repeat(200)]: "a".repeat(800) }, limit))
    assert.isUndefined(fault({ yes: true, n: 2 ** 53, m: -0.5 }, limit))
  })

  it("PUB13: numbers that would close the connection are refused", () => {
    for (const n of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])
      assert.include(fault({ n }, 1000) ?? "", "finite")
  })

  it("the limit is never negative", () => {
    assert.strictEqual(limitFor(131_072), 131_072 - 1536)
    assert.strictEqual(limitFor(1000), 0)
    assert.isUndefined(fault({}, 0))
    assert.isString(fault({ a: 1 }, 0))
  })
})
