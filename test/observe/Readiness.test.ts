/** Readiness follows a start at once, and afterwards what lasts. */
import { assert, describe, it } from "@effect/vitest"
import * as Readiness from "../../src/observe/Readiness.ts"

describe("readiness", () => {
  it("a start is told as soon as it is over", () => {
    const readiness = Readiness.make(5_000)
    const told = [false, false, true].map((fine, i) => readiness.look(fine, i * 100).ready)
    assert.deepStrictEqual(told, [false, false, true])
    assert.strictEqual(readiness.look(true, 1_000).since, 200)
  })

  it("what flaps does not change it; what lasts does, both ways", () => {
    const readiness = Readiness.make(5_000)
    assert.isTrue(readiness.look(true, 0).ready)
    for (let now = 1_000; now < 60_000; now += 2_000) {
      assert.isTrue(readiness.look(false, now).ready)
      assert.isTrue(readiness.look(true, now + 1_000).ready)
    }
    assert.strictEqual(readiness.look(false, 60_000).contradictedSince, 60_000)
    assert.isTrue(readiness.look(false, 64_999).ready)
    assert.isFalse(readiness.look(false, 65_000).ready)
    assert.isFalse(readiness.look(true, 66_000).ready)
    assert.isFalse(readiness.look(true, 70_999).ready)
    assert.isTrue(readiness.look(true, 71_000).ready)
  })
})
