/** Each probe is bounded, readiness does not flap, and concurrent callers share one run. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Metric } from "effect"
import { TestClock } from "effect/testing"
import { Health } from "../../src/index.ts"

const probe = (name: string, check: Health.Probe["check"], critical = true): Health.Probe => ({ name, critical, check })
const up: Health.ProbeResult = { status: "up", detail: "fine" }
const down: Health.ProbeResult = { status: "down", detail: "away" }

/** A dependency that goes away and comes back. */
const dependency = () => {
  let result = up
  return {
    set: (next: Health.ProbeResult) => void (result = next),
    probe: probe(
      "dependency",
      Effect.sync(() => result)
    )
  }
}

describe("Health", () => {
  it.effect("reports since when and why, and forgets probes that are gone", () =>
    Effect.gen(function* () {
      const { probe, set } = dependency()
      let probes = [probe]
      const health = Health.over(Effect.sync(() => probes))
      yield* TestClock.adjust("1 second")
      yield* health.report
      yield* TestClock.adjust("1 minute")
      const [same] = (yield* health.report).checks
      assert.deepStrictEqual([same?.status, same?.since.getTime()], ["up", 1000])
      set(down)
      const [other] = (yield* health.report).checks
      assert.deepStrictEqual([other?.status, other?.detail, other?.since.getTime()], ["down", "away", 61_000])
      probes = []
      yield* health.report
      probes = [probe]
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* health.report).checks[0]?.since.getTime(), 62_000)
    })
  )

  it.effect("a probe that hangs, one that cannot be interrupted and one that dies do not affect the others", () =>
    Effect.gen(function* () {
      let asked = 0
      const health = Health.over(
        Effect.succeed([
          probe("hangs", Effect.never),
          probe(
            "stubborn",
            Effect.suspend(() => {
              asked++
              return Effect.uninterruptible(Effect.never)
            })
          ),
          probe("dies", Effect.die(new Error("boom")), false),
          probe("fine", Effect.succeed(up))
        ])
      )
      for (let n = 0; n < 3; n++) {
        const report = yield* Effect.forkChild(health.report)
        yield* TestClock.adjust("1 second")
        const { checks, status } = yield* Fiber.join(report)
        assert.strictEqual(status, "down")
        assert.deepStrictEqual(
          checks.map((check) => [check.name, check.status, check.detail]),
          [
            ["hangs", "down", "no answer within 1s"],
            ["stubborn", "down", "no answer within 1s"],
            ["dies", "degraded", "boom"],
            ["fine", "up", "fine"]
          ]
        )
      }
      assert.strictEqual(asked, 1)
    })
  )

  it.effect("a dependency that flaps does not flap readiness", () =>
    Effect.gen(function* () {
      const { probe, set } = dependency()
      const health = Health.over(Effect.succeed([probe]))
      const reported: Array<boolean> = [yield* health.ready]
      // Away for 4 of every 8 seconds, for minutes.
      for (let n = 0; n < 100; n++) {
        set(n % 2 === 0 ? down : up)
        for (let second = 0; second < 4; second++) {
          reported.push(yield* health.ready)
          yield* TestClock.adjust("1 second")
        }
      }
      assert.isTrue(reported.every(Boolean))
      // Away permanently.
      set(down)
      assert.isTrue(yield* health.ready)
      assert.strictEqual((yield* health.report).status, "down")
      yield* TestClock.adjust("5 seconds")
      const { ready } = yield* health.report
      assert.deepStrictEqual([ready.is, ready.detail], [false, "dependency down"])
      // Back for a while.
      set(up)
      assert.isFalse(yield* health.ready)
      yield* TestClock.adjust("3 seconds")
      set(down)
      assert.isFalse(yield* health.ready)
      set(up)
      yield* TestClock.adjust("4 seconds")
      assert.isFalse(yield* health.ready)
      yield* TestClock.adjust("5 seconds")
      assert.isTrue(yield* health.ready)
    })
  )

  it.effect("a service that starts without its dependencies is not ready until it has them", () =>
    Effect.gen(function* () {
      const { probe, set } = dependency()
      set(down)
      const health = Health.over(Effect.succeed([probe]))
      assert.isFalse(yield* health.ready)
      set(up)
      yield* health.report
      yield* TestClock.adjust("5 seconds")
      assert.isTrue(yield* health.ready)
    })
  )

  it.effect("a thousand concurrent callers share one run, and the first may be interrupted", () =>
    Effect.gen(function* () {
      let asked = 0
      const slow = probe(
        "slow",
        Effect.suspend(() => {
          asked++
          return Effect.delay(Effect.succeed(up), "100 millis")
        })
      )
      const health = Health.over(Effect.succeed([slow]))
      const first = yield* Effect.forkChild(health.report, { startImmediately: true })
      const others = yield* Effect.forkChild(
        Effect.forEach(Array.from({ length: 1000 }), () => health.report, { concurrency: "unbounded" }),
        { startImmediately: true }
      )
      yield* Fiber.interrupt(first)
      yield* TestClock.adjust("100 millis")
      const reports = yield* Fiber.join(others)
      assert.strictEqual(asked, 1)
      assert.isTrue(reports.every(({ status }) => status === "up"))
    })
  )

  it.effect("a service can add its own probes, which are metrics while they exist", () =>
    Effect.gen(function* () {
      const { probe: own, set } = dependency()
      const registry: Metric.MetricRegistry = new Map()
      const current = () =>
        [...registry.values()]
          .filter(
            ({ id, hooks }) => id === "eventbus.health.state" && (hooks.get as () => { value: number })().value === 1
          )
          .map(({ attributes }) => `${attributes?.["eventbus.check"]} ${attributes?.["eventbus.state"]}`)
      yield* Effect.gen(function* () {
        const health = yield* Health.watched(Effect.succeed([probe("broker", Effect.succeed(up))]))
        yield* health.add({ ...own, critical: false })
        yield* TestClock.adjust("5 seconds")
        assert.deepStrictEqual(current(), ["broker up", "dependency up"])
        set(down)
        yield* TestClock.adjust("5 seconds")
        assert.deepStrictEqual(current(), ["broker up", "dependency degraded"])
      }).pipe(Effect.scoped, Effect.provideService(Metric.MetricRegistry, registry))
      assert.strictEqual(registry.size, 0)
    })
  )
})
