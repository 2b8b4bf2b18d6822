/** Readiness follows a start at once, and afterwards changes that last. */
import { assert, describe, it } from "@effect/vitest"
import * as Readiness from "../../src/observe/Readiness.ts"

describe("readiness", () => {
  it("a start is reported as soon as it is over", () => {
    const readiness = Readiness.make(5_000)
    const reported = [false, false, true].map((fine, i) => readiness.update(fine, i * 100).ready)
    assert.deepStrictEqual(reported, [false, false, true])
    assert.strictEqual(readiness.update(true, 1_000).since, 200)
  })

  it("flapping does not change it; a lasting change does, in both directions", () => {
    const readiness = Readiness.make(5_000)
    assert.isTrue(readiness.update(true, 0).ready)
    for (let now = 1_000; now < 60_000; now += 2_000) {
      assert.isTrue(readiness.update(false, now).ready)
      assert.isTrue(readiness.update(true, now + 1_000).ready)
    }
    assert.strictEqual(readiness.update(false, 60_000).contradictedSince, 60_000)
    assert.isTrue(readiness.update(false, 64_999).ready)
    assert.isFalse(readiness.update(false, 65_000).ready)
    assert.isFalse(readiness.update(true, 66_000).ready)
    assert.isFalse(readiness.update(true, 70_999).ready)
    assert.isTrue(readiness.update(true, 71_000).ready)
  })
})
