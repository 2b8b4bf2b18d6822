/** `eventbus load` and `bench` on a real RabbitMQ: what it measures, and that nothing of it stays. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Schedule, Schema } from "effect"
import { afterAll, beforeAll } from "vitest"
import { EventBus } from "../../src/index.ts"
import { Latencies } from "../../src/operations/load/Latencies.ts"
import { byCommand } from "../../src/operations/Reports.ts"
import { describeLive, freshNamespace } from "../support/live.ts"
import { type RabbitNode, startRabbit } from "../support/RabbitNode.ts"
import { eventbus, reported } from "./Eventbus.ts"

describe("latencies", () => {
  it("percentiles of any number of times are at most a hundredth off", () => {
    const latencies = new Latencies()
    for (let at = 1; at <= 10_000; at++) latencies.add(at / 100)
    for (const [share, exact] of [
      [0.5, 50],
      [0.9, 90],
      [0.999, 99.9]
    ] as const)
      assert.approximately(latencies.percentile(share), exact, exact / 100)
    assert.strictEqual(latencies.max, 100)
    assert.strictEqual(new Latencies().percentile(0.5), 0)
  })
})

describeLive(
  "eventbus load",
  () => {
    let node: RabbitNode
    beforeAll(async () => {
      node = await startRabbit()
    })
    afterAll(() => node?.stop())

    const settings = () => ({ EVENTBUS_URL: node.url })
    const objects = Effect.promise(async () =>
      [await node.ctl("list_queues", "name"), await node.ctl("list_exchanges", "name")]
        .flatMap((text) => text.split("\n"))
        .filter((name) => name.startsWith("eventbus-load-"))
    )

    it.live("measures at a rate and at full speed, in a namespace that is gone afterwards", () =>
      Effect.gen(function* () {
        const args = ["load", "load.test", "--seconds", "0.5", "--size", "300"]
        const { code, report } = yield* reported(settings(), ...args, "--rate", "200")
        const load = Schema.decodeUnknownSync(byCommand.load)(report)
        assert.deepStrictEqual([code, load.confirmed, load.received, load.missing], [0, 100, 100, 0])
        assert.match(load.namespace, /^eventbus-load-/)
        for (const { max, p50, p99 } of [load.publish, load.endToEnd]) {
          assert.isAbove(p50, 0)
          assert.isAtLeast(p99, p50)
          assert.isAtLeast(max, p99)
        }
        assert.deepStrictEqual(yield* objects, [])
        const text = yield* eventbus(settings(), ...args)
        assert.strictEqual(text.code, 0)
        assert.match(text.out, /^\d+ events in [\d.]+ s: \d+ a second, \d+ received$/m)
        assert.match(text.out, /^end to end +\d/m)
        assert.deepStrictEqual(yield* objects, [])
      })
    )

    it.live("leaves nothing when it is interrupted", () =>
      Effect.gen(function* () {
        const fiber = yield* Effect.forkScoped(eventbus(settings(), "load", "load.test", "--seconds", "600"))
        yield* Effect.repeat(objects, { until: ({ length }) => length > 20, schedule: Schedule.spaced("20 millis") })
        yield* Fiber.interrupt(fiber)
        assert.deepStrictEqual(yield* objects, [])
      })
    )

    it.live("uses a namespace that exists with --yes alone, and removes nothing of it", () =>
      Effect.gen(function* () {
        const namespace = freshNamespace()
        yield* Effect.gen(function* () {
          yield* EventBus
          const args = ["load", "load.test", "--seconds", "0.2", "--rate", "50", "--in", namespace]
          const refused = yield* eventbus(settings(), ...args)
          assert.deepStrictEqual([refused.code, refused.out], [2, ""])
          assert.include(refused.err, `subscribers of ${namespace} that are bound to load.test would get all of it`)
          const told = yield* reported(settings(), ...args, "--yes")
          const load = Schema.decodeUnknownSync(byCommand.load)(told.report)
          assert.deepStrictEqual([told.code, load.namespace, load.confirmed], [0, namespace, 10])
          const left = yield* Effect.promise(() => node.ctl("list_queues", "name"))
          assert.include(left, `${namespace}.delay.00`)
          assert.notInclude(left, `${namespace}.tmp.`)
        }).pipe(Effect.scoped, Effect.provide(EventBus.layerAmqp({ url: node.url, namespace })))
      })
    )

    it.live("bench publishes one by one and at once, consumes all of it, and both at half of that", () =>
      Effect.gen(function* () {
        const args = ["bench", "--seconds", "0.4", "--size", "300"]
        const { code, report } = yield* reported(settings(), ...args)
        const bench = Schema.decodeUnknownSync(byCommand.bench)(report)
        assert.strictEqual(code, 0)
        const { consume, half, oneByOne, pipelined } = bench
        assert.isAbove(oneByOne.confirmed, 0)
        assert.isAbove(pipelined.confirmed, oneByOne.confirmed)
        assert.deepStrictEqual([consume.received, consume.missing], [oneByOne.confirmed + pipelined.confirmed, 0])
        assert.strictEqual(half.rate, Math.floor(Math.min(pipelined.perSecond, consume.perSecond) / 2))
        assert.deepStrictEqual([half.received, half.missing], [half.confirmed, 0])
        for (const { p50, p99 } of [oneByOne.publish, pipelined.publish, half.publish, half.endToEnd]) {
          assert.isAbove(p50, 0)
          assert.isAtLeast(p99, p50)
        }
        const text = yield* eventbus(settings(), ...args)
        assert.strictEqual(text.code, 0)
        assert.match(text.out, /^publish one by one +\d+ +\d/m)
        assert.match(text.out, /^consume +\d+$/m)
        assert.match(text.out, /^end to end at half load +\d/m)
        assert.deepStrictEqual(yield* objects, [])
      })
    )

    it.live("bench leaves nothing when it is interrupted, not even the queue of its subscriber", () =>
      Effect.gen(function* () {
        const fiber = yield* Effect.forkScoped(eventbus(settings(), "bench", "--seconds", "60"))
        yield* Effect.repeat(objects, {
          until: (names) => names.some((name) => name.endsWith(".sub.bench")),
          schedule: Schedule.spaced("20 millis")
        })
        yield* Fiber.interrupt(fiber)
        assert.deepStrictEqual(yield* objects, [])
      })
    )

    it.live("refuses what makes no sense", () =>
      Effect.gen(function* () {
        for (const [args, words] of [
          [["Not.Good"], 'event "Not.Good"'],
          [["a.b", "--rate", "0"], "--rate"],
          [["a.b", "--seconds", "0"], "--seconds"],
          [["a.b", "--size", "9999999"], "--size"]
        ] as const) {
          const { code, err } = yield* eventbus(settings(), "load", ...args)
          assert.strictEqual(code, 2, words)
          assert.include(err, words)
        }
        for (const [flag, value] of [
          ["--seconds", "61"],
          ["--size", "-1"]
        ] as const) {
          const { code, err } = yield* eventbus(settings(), "bench", `${flag}=${value}`)
          assert.deepStrictEqual([code, err.includes(`${flag}: expected`)], [2, true])
        }
      })
    )
  },
  ["rabbitNode"]
)
