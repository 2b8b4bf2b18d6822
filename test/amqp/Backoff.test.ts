/** How long a lost connection waits: far apart from its fellows, longer each time, never too long. */
import { assert, describe, it } from "@effect/vitest"
import * as Backoff from "../../src/amqp/Backoff.ts"

const bounds = (backoff: Backoff.Backoff, count: number, lived = 0): ReadonlyArray<number> =>
  Array.from({ length: count }, () => backoff.next({ lived, isRetryable: true, random: 1 }))
const seeded = (seed: number) => (): number => (seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32

describe("Backoff", () => {
  it("PUB19, P11: its bound doubles up to 15 seconds and stays there, however long the outage", () => {
    const backoff = Backoff.make()
    const doubling = [200, 400, 800, 1600, 3200, 6400, 12_800, 15_000, 15_000, 15_000]
    assert.deepStrictEqual(bounds(backoff, 10), doubling)
    assert.deepStrictEqual(new Set(bounds(backoff, 5000)), new Set([15_000]))
  })

  it("PUB19: each second that a connection held takes back one doubling; one that is lost at once, none", () => {
    const backoff = Backoff.make()
    bounds(backoff, 4)
    assert.deepStrictEqual(bounds(backoff, 3, 900), [3200, 6400, 12_800])
    assert.deepStrictEqual(bounds(backoff, 2, 1000), [12_800, 12_800])
    assert.deepStrictEqual(bounds(backoff, 2, 3000), [3200, 800])
    bounds(backoff, 1000)
    assert.deepStrictEqual([...bounds(backoff, 1, 8000), ...bounds(backoff, 1)], [200, 400])
  })

  it("PUB19: thirty clients of a broker that restarts come back all over the time there is, not in step", () => {
    const random = seeded(11)
    const clients = Array.from({ length: 30 }, () => Backoff.make())
    for (let round = 0; round < 12; round++) {
      const waits = clients.map((client) => client.next({ lived: 0, isRetryable: true, random: random() }))
      const bound = Math.min(200 * 2 ** round, 15_000)
      const shares = waits.map((wait) => wait / bound)
      // Every fifth of it has somebody; of an equal jitter of a half the first two would have nobody.
      for (let fifth = 0; fifth < 5; fifth++)
        assert.isTrue(
          shares.some((share) => share >= fifth / 5 && share < (fifth + 1) / 5),
          `round ${round}, fifth ${fifth}`
        )
      const mean = shares.reduce((sum, share) => sum + share, 0) / shares.length
      assert.isTrue(mean > 0.3 && mean < 0.7, `round ${round}: ${mean}`)
    }
  })

  it("PUB16, PUB17: what waiting does not heal is tried seldom from the first time on", () => {
    const backoff = Backoff.make()
    assert.strictEqual(backoff.next({ lived: 0, isRetryable: false, random: 1 }), 30_000)
    assert.strictEqual(backoff.next({ lived: 3_600_000, isRetryable: false, random: 0.5 }), 15_000)
  })
})
