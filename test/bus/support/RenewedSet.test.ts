import { assert, describe, it } from "@effect/vitest"
import * as RenewedSet from "../../../src/bus/support/RenewedSet.ts"

describe("RenewedSet", () => {
  it("is a set in insertion order, however many members have passed through", () => {
    const population = RenewedSet.make<number>()
    const model = new Set<number>()
    let seed = 1
    const next = (below: number): number => {
      seed = (seed * 48_271) % 2_147_483_647
      return seed % below
    }
    for (let step = 0; step < 50_000; step++) {
      const member = next(700)
      if (next(2) === 0) {
        population.add(member)
        model.add(member)
      } else assert.strictEqual(population.delete(member), model.delete(member))
      if (step % 997 === 0) assert.deepStrictEqual([...population], [...model])
    }
    assert.strictEqual(population.size, model.size)
    assert.deepStrictEqual([...population], [...model])
  })

  it("iteration skips members that have left meanwhile", () => {
    const population = RenewedSet.make<number>()
    for (let member = 0; member < 5; member++) population.add(member)
    const seen: Array<number> = []
    for (const member of population) {
      seen.push(member)
      population.delete(3)
      for (let other = 100; other < 1_000; other++) population.add(other)
    }
    assert.deepStrictEqual(seen, [0, 1, 2, 4])
  })
})
