/**
 * Services under faults: publishers and subscribers as processes, with their own broker and Redis.
 * `npm run chaos` runs longer.
 */
import { afterAll, assert, beforeAll, it } from "vitest"
import { describeLive } from "../support/live.ts"
import { lineOf, report } from "./Report.ts"
import { run } from "./Run.ts"
import { type Brokers, openBrokers } from "./Deployment.ts"
import { fromSeed } from "../support/RandomSource.ts"
import { play } from "./Controls.ts"
import { clusterFaults, isOfCluster } from "./ClusterFaults.ts"
import { faultKinds } from "./Faults.ts"
import { describePlan, planOf, planOfCluster } from "./Plan.ts"
import { quantiles, slope } from "./Statistics.ts"

const lines: Array<string> = []
const print = (line: string): void => void lines.push(line)

describeLive(
  "chaos",
  () => {
    let brokers: Brokers
    beforeAll(async () => void (brokers = await openBrokers()))
    afterAll(() => brokers[Symbol.asyncDispose]())

    it("PUB1, PUB20, C1, D1, P1, P3, P4, P6, P8, P11, P12: the node and processes are killed and recover: nothing confirmed is lost, order holds, only poison is dead-lettered", async () => {
      const seed = 17
      // Deploys and killers take longer than a test may: test/process has them.
      const drawn = fromSeed(seed)
        .fork("ordinary")
        .pick(["delivery-limit", "take-topic", "take-write", "take-copies"] as const)
      const judgement = await run(brokers, {
        seed,
        seconds: 10,
        rate: 25,
        convergeSeconds: 180,
        faults: ["kill-subscriber", "kill-publisher", "kill-node", drawn, "redis-kill"],
        print
      })
      const { figures, violations } = judgement
      const text = [...violations.map(lineOf), ...lines, ...report(judgement)].join("\n")
      assert.deepStrictEqual(violations, [], text)
      assert.isAbove(figures.confirmed, 100, text)
      const stepGroups = figures.groups.filter(({ poison }) => poison > 2)
      assert.deepStrictEqual(
        stepGroups.map(({ group }) => group),
        ["chaos.keyed", "chaos.ordered", "chaos.plain", "chaos.once", "chaos.batched"]
      )
      for (const group of figures.groups) {
        assert.strictEqual(group.lost, 0, text)
        assert.strictEqual(group.ghosts, 0, text)
        assert.strictEqual(group.innocents, 0, text)
        assert.strictEqual(group.orderViolations, 0, text)
        assert.strictEqual(group.overlaps, 0, text)
        assert.isAtLeast(group.deadLetters, group.poison, text)
        assert.isAtLeast(group.handled + group.poison, group.confirmed, text)
      }
      for (const { poison } of stepGroups) assert.isAtLeast(poison, 14, text)
      // Killed between handler and ack: handled once more.
      const duplicates = figures.groups.reduce((sum, group) => sum + group.duplicates, 0)
      assert.isAbove(duplicates, 0, text)
      assert.strictEqual(figures.redisWindowFailures, 0, text)
      assert.isAbove(figures.redisWindowPublishes, 0, text)
      assert.strictEqual(figures.deaths["by itself"], undefined, text)
      assert.isAtLeast(figures.deaths["SIGTERM"] ?? 0, 5, text)
      assert.isAtLeast((figures.deaths["SIGKILL"] ?? 0) + (figures.deaths["failpoint"] ?? 0), 2, text)
    })

    it("an event that is acknowledged before it is handled is found to be lost", async () => {
      const violations = await play(brokers, 5, "ack-before-handle", true)
      assert.include(
        violations.map(({ rule }) => rule),
        "lost",
        JSON.stringify(violations)
      )
    })
  },
  ["rabbitNode", "redisNode"]
)

it("the same seed gives the same faults, and every fault occurs", () => {
  const cast = {
    publishers: ["p0", "p1"],
    subscribers: ["a1", "a2", "b1"],
    mortals: ["m1", "m2"],
    operators: ["o1"],
    deployed: ["d1", "d2"]
  }
  const plan = (seed: number): ReadonlyArray<string> => describePlan(planOf(seed, cast))
  assert.deepStrictEqual(plan(7), plan(7))
  assert.notDeepEqual(plan(7), plan(8))
  const kinds = new Set(
    planOf(7, cast)
      .slice(0, 42)
      .flatMap(({ faults }) => faults.map(({ kind }) => kind))
  )
  assert.deepStrictEqual([...kinds].toSorted(), faultKinds.filter((kind) => !isOfCluster(kind)).toSorted())

  const onCluster = planOfCluster(7, cast, true)
  assert.deepStrictEqual(describePlan(onCluster), describePlan(planOfCluster(7, cast, true)))
  const first = new Set(onCluster.slice(0, 20).flatMap(({ faults }) => faults.map(({ kind }) => kind)))
  for (const kind of clusterFaults) assert.isTrue(first.has(kind), kind)
  const uncut = planOfCluster(7, cast, false).flatMap(({ faults }) => faults.map(({ kind }) => kind))
  assert.notInclude(uncut, "node-cut")
})

it("random choices are uniform, and statistics are right", () => {
  const random = fromSeed(3)
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
