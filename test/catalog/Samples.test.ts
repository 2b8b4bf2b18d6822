/** The data of the demo is valid, varied, the same for the same seed, and some actor may publish it. */
import { assert, describe, it } from "@effect/vitest"
import { actorFor, sample } from "../../src/app/demo/Samples.ts"
import * as SeededRandom from "../../src/bus/support/SeededRandom.ts"
import { catalog, GradePosted } from "../../src/catalog/index.ts"
import * as WireFormat from "../../src/event/WireFormat.ts"
import { bodyOf, parse, succeed } from "../event/support.ts"

describe("samples", () => {
  it.each(catalog.events.map((event) => ({ name: event.name as string, event })))(
    "$name: 300 samples are valid, have few keys, and some actor may publish them",
    ({ event }) => {
      const random = SeededRandom.make(42)
      const keys = new Set<string | undefined>()
      const bodies = new Set<string>()
      for (let i = 0; i < 300; i++) {
        const data = sample(event, random)
        const body = bodyOf(event, data)
        assert.deepStrictEqual<unknown>(succeed(WireFormat.decode(succeed(parse(body)), event)).data, data)
        const actor = actorFor(event, data)
        assert.isUndefined(event.denial(actor, data))
        keys.add(event.keyOf(data))
        bodies.add(body)
      }
      assert.isAbove(bodies.size, 1)
      assert.isAtLeast(keys.size, 2)
    }
  )

  it("the extremes of a random source give valid data", () => {
    for (const event of catalog.events) {
      for (const extreme of [0, 0.5, 1 - Number.EPSILON]) succeed(event.dataCodec.encode(sample(event, () => extreme)))
    }
  })

  it("the same seed gives the same data, another seed other data", () => {
    const run = (seed: number) => {
      const random = SeededRandom.make(seed)
      return catalog.events.map((event) => JSON.stringify(sample(event, random)))
    }
    assert.deepStrictEqual(run(7), run(7))
    assert.notDeepEqual(run(7), run(8))
  })

  it("grades are plausible", () => {
    const random = SeededRandom.make(1)
    const shares = Array.from({ length: 500 }, () => sample(GradePosted, random).score).map(
      ({ outOf, points }) => points / outOf
    )
    const mean = shares.reduce((sum, share) => sum + share, 0) / shares.length
    assert.isTrue(mean > 0.65 && mean < 0.75, `${mean}`)
  })

  it("the seeded source is uniform enough", () => {
    const random = SeededRandom.make(3)
    const buckets = Array.from({ length: 10 }, () => 0)
    for (let i = 0; i < 10_000; i++) {
      const value = random()
      assert.isTrue(value >= 0 && value < 1)
      buckets[Math.floor(value * 10)]!++
    }
    for (const bucket of buckets) assert.isTrue(bucket > 850 && bucket < 1150, `${buckets.join(" ")}`)
  })
})
