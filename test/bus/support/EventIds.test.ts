/** Ids sort by time, are unique, and are UUIDs of version 7. */
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Schema } from "effect"
import * as EventIds from "../../../src/bus/support/EventIds.ts"

const uuidV7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
const millisOf = (id: string): number => Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)

describe("EventIds", () => {
  it("are valid UUIDv7 of their time", () => {
    const ids = EventIds.make()
    for (const millis of [1, 1_700_000_000_000, 2 ** 48 - 1]) {
      const id = ids.next(millis)
      assert.match(id, uuidV7)
      assert.strictEqual(millisOf(id), millis)
    }
  })

  it("are unique and rise within one millisecond, beyond its 4,096", () => {
    const ids = EventIds.make()
    const made = Array.from({ length: 20_000 }, () => ids.next(1_700_000_000_000))
    assert.strictEqual(new Set(made).size, made.length)
    assert.deepStrictEqual(made.toSorted(), made)
    for (const id of made) assert.match(id, uuidV7)
    // At most four milliseconds were borrowed.
    assert.isAtMost(millisOf(made.at(-1) ?? "") - 1_700_000_000_000, 5)
  })

  it("of two processes differ", () => {
    const [a, b] = [EventIds.make(), EventIds.make()]
    const made = Array.from({ length: 1_000 }, () => [a.next(7), b.next(7)]).flat()
    assert.strictEqual(new Set(made).size, made.length)
  })

  it.prop(
    "rise whatever the clock does",
    { steps: Arbitrary.schema(Schema.Array(Schema.Literals([-5_000, -1, 0, 0, 0, 1, 40_000]))) },
    ({ steps }) => {
      const ids = EventIds.make()
      let now = 1_700_000_000_000
      const made = steps.map((step) => ids.next((now += step)))
      assert.deepStrictEqual(made.toSorted(), made)
      assert.strictEqual(new Set(made).size, made.length)
    }
  )
})
