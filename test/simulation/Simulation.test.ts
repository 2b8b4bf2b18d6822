/**
 * The whole bus in simulated worlds: several processes over one broker, everything that can go wrong, and a
 * reference that says how each event had to end. `npm run simulate` runs thousands of worlds.
 */
import { assert, describe, it } from "vitest"
import { find, plantedBugs } from "./PlantedBugs.ts"
import { regressions } from "./regressions.ts"
import { once, type Report } from "./Run.ts"
import * as Setup from "./Setup.ts"

const seeds = (from: number, count: number): ReadonlyArray<number> => Array.from({ length: count }, (_, i) => from + i)
const textsOf = ({ seed, violations }: Report): ReadonlyArray<string> =>
  violations.map(({ detail, n, promise }) => `${promise} by seed ${seed}: ${n === undefined ? "" : `#${n} `}${detail}`)

describe("simulated worlds", () => {
  it("P1, P2, P3, P6, P7, P8, P10, P11, P12, P13: every promise is kept in 50 worlds", async () => {
    const broken: Array<string> = []
    const totals = { confirmed: 0, handled: 0, deadLetters: 0, duplicates: 0, faults: 0, processesEnded: 0 }
    for (const seed of seeds(1, 50)) {
      const report = await once(seed)
      broken.push(...textsOf(report))
      for (const name of Object.keys(totals) as Array<keyof typeof totals>) totals[name] += report.figures[name]
    }
    assert.deepStrictEqual(broken, [])
    // Worlds in which nothing happens would keep every promise, too.
    assert.isAbove(totals.confirmed, 1000)
    assert.isAbove(totals.handled, 1000)
    assert.isAbove(totals.deadLetters, 100)
    assert.isAbove(totals.duplicates, 15)
    assert.isAbove(totals.faults, 50)
    assert.isAbove(totals.processesEnded, 50)
  })

  for (const { promise, seed, was } of regressions) {
    it(`${promise}: seed ${seed}, where ${was}`, async () => {
      assert.deepStrictEqual(textsOf(await once(seed)), [])
    })
  }

  it("the same seed gives the same world, to the letter", async () => {
    for (const seed of seeds(500, 10)) {
      const [first, second] = [await once(seed), await once(seed)]
      assert.deepStrictEqual(second.trace, first.trace)
    }
  })

  it("P4: a failing cache changes no outcome", async () => {
    for (const seed of seeds(600, 5)) {
      const [healthy, failing] = [
        await once(seed, { setup: { cache: 0 } }),
        await once(seed, { setup: { cache: 0.9 } })
      ]
      assert.deepStrictEqual(failing.outcomes, healthy.outcomes)
    }
  })

  it("P3: when only handlers fail, no event is handled twice", async () => {
    for (const seed of seeds(700, 10)) {
      const report = await once(seed, {
        setup: { rates: {}, claims: {}, commands: { publish: 5, publishAll: 1, delayed: 1 } }
      })
      assert.deepStrictEqual(textsOf(report), [])
      assert.strictEqual(report.figures.faults, 0)
      // Every run ends with a lost connection, which may interrupt a batch that is half done.
      const batches = Setup.make(seed).subscribers.filter(({ batch }) => batch !== undefined).length
      assert.isAtMost(report.figures.duplicates, batches === 0 ? 0 : 5)
    }
  })
})

describe("a planted bug", () => {
  for (const bug of plantedBugs) {
    it(`${bug.breaks}: "${bug.name}" is found`, async () => {
      assert.match((await find(bug)) ?? `not in ${bug.within} seeds`, new RegExp(`^${bug.breaks} `))
    })
  }
})
