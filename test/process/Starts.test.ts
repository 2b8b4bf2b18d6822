/** SIGTERM at any moment of a start, and many starts in one process: nothing appears afterwards, nothing grows (P12). */
import { setTimeout as delay } from "node:timers/promises"
import { Schema } from "effect"
import { afterAll, assert, beforeAll, it } from "vitest"
import { createEventBus, Event } from "../../src/index.ts"
import { describeLive, freshNamespace, rabbitUrl } from "../support/live.ts"
import { type Bench, numbersOf, openBench, orders, until, upTo } from "./Bench.ts"
import type { Ending, Service } from "./Process.ts"

const drained: Ending = { code: 0, signal: null }

describeLive(
  "starts",
  () => {
    let bench: Bench
    beforeAll(async () => void (bench = await openBench(rabbitUrl(), freshNamespace())))
    afterAll(() => bench[Symbol.asyncDispose]())

    it("S4, P12: SIGTERM at any moment of a start: exit code 0, and no consumer appears afterwards", async () => {
      await using test = bench.begin()
      const first = test.service()
      await first.says("ready")
      first.terminate()
      assert.deepStrictEqual(await first.ended, drained)
      await test.publish(orders(5))
      // From the moment on in which it hears signals, over a start as long as that one took and longer, to "ready".
      const atOf = (say: "begun" | "ready"): number => first.of(say)[0]?.at ?? 0
      const took = atOf("ready") - atOf("begun")
      const moments = [...Array.from({ length: 18 }, (_, i) => (i * took * 2) / 18), "ready", "ready"]
      const services: Array<Service> = []
      const endAt = async (moment: number | string): Promise<void> => {
        const service = test.service()
        services.push(service)
        await service.says(moment === "ready" ? "ready" : "begun")
        if (typeof moment === "number") await delay(moment)
        service.terminate()
        assert.deepStrictEqual(await service.ended, drained, `at ${moment}: ${service.told()}`)
        assert.strictEqual(service.of("started").length, service.of("handled").length, service.told())
      }
      for (let at = 0; at < moments.length; at += 2) await Promise.all(moments.slice(at, at + 2).map(endAt))
      // Nobody consumes what nobody handled, and all of that is there.
      await until(
        () => "a consumer is there",
        async () => (await test.queue()).consumers === 0
      )
      const handled = services.flatMap((service) => service.of("handled"))
      await test.rests(5 - handled.length)
      assert.deepStrictEqual(numbersOf([...handled, ...(await test.take())]), upTo(5))
      assert.strictEqual(await bench.bus.deadLetters.count(test.subscriber), 0)
    }, 60_000)

    it("S5: fifty starts and ends in one process: sockets, timers and listeners are what they were", async () => {
      const Happened = Event.make(`starts-${process.pid}.happened`, {
        version: 1,
        data: Schema.Struct({ n: Schema.Finite })
      })
      const warnings: Array<string> = []
      const hear = (warning: Error): void => void warnings.push(`${warning.name}: ${warning.message}`)
      process.on("warning", hear)
      const resources = (): Readonly<Record<string, number>> => {
        const counts: Record<string, number> = {}
        for (const name of process.getActiveResourcesInfo()) counts[name] = (counts[name] ?? 0) + 1
        return counts
      }
      const cycle = async (n: number): Promise<void> => {
        const bus = await createEventBus({ url: rabbitUrl(), namespace: bench.namespace, source: "starts" })
        const handled: Array<number> = []
        let tell = (): void => {}
        const told = new Promise<void>((resolve) => (tell = resolve))
        await bus.subscribe("starts.counter", {
          events: [Happened],
          handler: ({ data }) => {
            handled.push(data.n)
            tell()
          }
        })
        await bus.publish(Happened, { n })
        await told
        await bus.close()
        assert.deepStrictEqual(handled, [n])
      }
      // What is loaded and made once is not counted.
      for (let n = 0; n < 3; n++) await cycle(n)
      await delay(50)
      const before = resources()
      const signals = ["SIGTERM", "SIGINT", "exit", "uncaughtException"].map((name) => process.listenerCount(name))
      for (let n = 3; n < 53; n++) await cycle(n)
      await delay(50)
      const after = resources()
      process.off("warning", hear)
      assert.isAtMost(after["TCPSocketWrap"] ?? 0, before["TCPSocketWrap"] ?? 0)
      // Others of this test process come and go by one or two; fifty leaks would be fifty.
      assert.isAtMost(after["Timeout"] ?? 0, (before["Timeout"] ?? 0) + 3)
      assert.deepStrictEqual(
        ["SIGTERM", "SIGINT", "exit", "uncaughtException"].map((name) => process.listenerCount(name)),
        signals
      )
      assert.isEmpty(warnings)
    }, 60_000)
  },
  ["rabbit"]
)
