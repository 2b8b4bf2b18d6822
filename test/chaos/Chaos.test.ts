/**
 * Services under fire: publishers and subscribers as processes, a broker and a Redis of their own, and
 * faults in the middle of it. A longer run is `npm run chaos`.
 */
import { afterAll, assert, beforeAll, it } from "vitest"
import { describeLive } from "../support/live.ts"
import { report } from "./Report.ts"
import { run } from "./Run.ts"
import { type Brokers, openBrokers } from "./Stage.ts"
import { chance } from "./Chance.ts"
import { play } from "./Controls.ts"
import { faultKinds } from "./Faults.ts"
import { describePlan, planOf } from "./Plan.ts"
import { quantiles, slope } from "./Statistics.ts"

const told: Array<string> = []
const tell = (line: string): void => void told.push(line)

describeLive(
  "chaos",
  () => {
    let brokers: Brokers
    beforeAll(async () => void (brokers = await openBrokers()))
    afterAll(() => brokers[Symbol.asyncDispose]())

    it("PUB1, PUB20, C1, D1, P1, P3, P4, P6, P8, P11, P12: the node and processes are killed and go on: nothing confirmed is lost, no order is broken, dead letters are the poison", async () => {
      const judgement = await run(brokers, {
        seed: 17,
        seconds: 10,
        rate: 25,
        convergeSeconds: 60,
        faults: ["kill-subscriber", "kill-publisher", "kill-node", "rst-all", "redis-kill"],
        tell
      })
      const { figures, violations } = judgement
      const text = [...told, ...report(judgement)].join("\n")
      assert.deepStrictEqual(violations, [], text)
      assert.isAbove(figures.confirmed, 100, text)
      assert.deepStrictEqual(
        figures.groups.map(({ group }) => group),
        ["chaos.keyed", "chaos.ordered", "chaos.plain", "chaos.once", "chaos.batched"]
      )
      for (const group of figures.groups) {
        assert.strictEqual(group.lost, 0, text)
        assert.strictEqual(group.ghosts, 0, text)
        assert.strictEqual(group.innocents, 0, text)
        assert.strictEqual(group.orderViolations, 0, text)
        assert.strictEqual(group.overlaps, 0, text)
        assert.isAtLeast(group.poison, 14, text)
        assert.isAtLeast(group.deadLetters, group.poison, text)
        assert.isAtLeast(group.handled + group.poison, group.confirmed, text)
      }
      // The handler was done, its acknowledgement was not: handled once more, and no more than that.
      const duplicates = figures.groups.reduce((sum, group) => sum + group.duplicates, 0)
      assert.isAbove(duplicates, 0, text)
      assert.strictEqual(figures.redisWindowFailures, 0, text)
      assert.isAbove(figures.redisWindowPublishes, 0, text)
      assert.strictEqual(figures.deaths["by itself"], undefined, text)
      assert.isAtLeast(figures.deaths["SIGTERM"] ?? 0, 5, text)
      assert.isAtLeast((figures.deaths["SIGKILL"] ?? 0) + (figures.deaths["failpoint"] ?? 0), 2, text)
    }, 120_000)

    it("the verdict is red when an event is acknowledged before it is handled", async () => {
      const violations = await play(brokers, 5, "ack-before-handle", true)
      assert.include(
        violations.map(({ rule }) => rule),
        "lost",
        JSON.stringify(violations)
      )
    }, 120_000)
  },
  ["rabbitNode", "redisNode"]
)

it("the same seed gives the same faults, and every fault has its turn", () => {
  const cast = { publishers: ["p0", "p1"], subscribers: ["a1", "a2", "b1"] }
  const plan = (seed: number): ReadonlyArray<string> => describePlan(planOf(seed, cast))
  assert.deepStrictEqual(plan(7), plan(7))
  assert.notDeepEqual(plan(7), plan(8))
  const kinds = new Set(
    planOf(7, cast)
      .slice(0, 29)
      .flatMap(({ faults }) => faults.map(({ kind }) => kind))
  )
  assert.deepStrictEqual([...kinds].toSorted(), [...faultKinds].toSorted())
})

it("chance is fair enough, and statistics tell the truth", () => {
  const random = chance(3)
  const drawn = Array.from({ length: 10_000 }, () => random.next())
  assert.closeTo(drawn.reduce((sum, value) => sum + value, 0) / drawn.length, 0.5, 0.02)
  assert.isTrue(drawn.every((value) => value >= 0 && value < 1))
  const { max, p50, p99 } = quantiles(Array.from({ length: 100 }, (_, i) => i))
  assert.deepStrictEqual([p50, p99, max], [50, 99, 99])
  assert.closeTo(
    slope([
      [0, 1],
      [1, 3],
      [2, 5]
    ]),
    2,
    1e-9
  )
})
