/** Each failure has a test or a reason, and COVERAGE.md tells which. */
import { assert, describe, it } from "@effect/vitest"
import { existsSync, readFileSync } from "node:fs"
import { coverage, coverageFile, guards } from "./coverage.ts"
import { rows } from "./rows.ts"

describe("coverage of the failures", () => {
  it("every row has a test, or the reason why it has none", () => {
    const found = guards()
    const open = Object.entries(rows).filter(([name, { reason }]) => !found.has(name) && reason === undefined)
    assert.deepStrictEqual(
      open.map(([name]) => name),
      []
    )
  })

  it("a row with a reason has no test: the reason would be out of date", () => {
    const found = guards()
    const stale = Object.entries(rows).filter(([name, { reason }]) => found.has(name) && reason !== undefined)
    assert.deepStrictEqual(
      stale.map(([name]) => name),
      []
    )
  })

  it("every promise has a test", () => {
    const found = guards()
    for (let n = 1; n <= 18; n++) assert.isTrue(found.has(`P${n}`), `no test names P${n}`)
  })

  it("a title that names a row names one that exists", () => {
    const known = new Set([...Object.keys(rows), ...Array.from({ length: 18 }, (_, n) => `P${n + 1}`)])
    assert.deepStrictEqual(
      [...guards().keys()].filter((name) => !known.has(name)),
      []
    )
  })

  it("COVERAGE.md is up to date: write it with `node test/chaos/coverage.ts`", () => {
    assert.strictEqual(existsSync(coverageFile) ? readFileSync(coverageFile, "utf8") : "", coverage())
  })
})
