/** SIGTERM at any moment of a start, and many starts in one process: nothing appears afterwards, nothing grows. */
import { setTimeout as delay } from "node:timers/promises"
import { Schema } from "effect"
import { afterAll, assert, beforeAll, it } from "vitest"
import { createEventBus, Event } from "../../src/index.ts"
import { describeLive, freshNamespace, rabbitUrl } from "../support/live.ts"
import { type TestClient, numbersOf, openTestClient, orders, until, upTo } from "./TestClient.ts"
import type { Ending, Service } from "./ServiceProcess.ts"

const drained: Ending = { code: 0, signal: null }

describeLive(
  "starts",
  () => {
    let client: TestClient
    beforeAll(async () => void (client = await openTestClient(rabbitUrl(), freshNamespace())))
    afterAll(() => client[Symbol.asyncDispose]())

    it("S4, P12: SIGTERM at any moment of a start: exit code 0, and no consumer appears afterwards", async () => {
      await using test = client.begin()
      const first = test.service()
      await first.waitFor("ready")
      first.terminate()
      assert.deepStrictEqual(await first.ended, drained)
      await test.publish(orders(5))
      // From the moment from which it handles signals, over a start twice as long as that one, to "ready".
      const atOf = (say: "begun" | "ready"): number => first.of(say)[0]?.at ?? 0
      const took = atOf("ready") - atOf("begun")
      const moments = [...Array.from({ length: 18 }, (_, i) => (i * took * 2) / 18), "ready", "ready"]
      const services: Array<Service> = []
      const endAt = async (moment: number | string): Promise<void> => {
        const service = test.service()
        services.push(service)
        await service.waitFor(moment === "ready" ? "ready" : "begun")
        if (typeof moment === "number") await delay(moment)
        service.terminate()
        assert.deepStrictEqual(await service.ended, drained, `at ${moment}: ${service.output()}`)
        assert.strictEqual(service.of("started").length, service.of("handled").length, service.output())
      }
      for (let at = 0; at < moments.length; at += 2) await Promise.all(moments.slice(at, at + 2).map(endAt))
      // Every event that was not handled is in the queue, and nothing consumes it.
      await until(
        () => "a consumer is there",
        async () => (await test.queue()).consumers === 0
      )
      const handled = services.flatMap((service) => service.of("handled"))
      await test.waitForReady(5 - handled.length)
      assert.deepStrictEqual(numbersOf([...handled, ...(await test.take())]), upTo(5))
      assert.strictEqual(await client.bus.deadLetters.count(test.subscriber), 0)
    })

    it("S5: fifty starts and ends in one process: as many sockets, timers and listeners as before", async () => {
      const Happened = Event.make(`starts-${process.pid}.happened`, {
        version: 1,
        data: Schema.Struct({ n: Schema.Finite })
      })
      const warnings: Array<string> = []
      const onWarning = (warning: Error): void => void warnings.push(`${warning.name}: ${warning.message}`)
      process.on("warning", onWarning)
      const resources = (): Readonly<Record<string, number>> => {
        const counts: Record<string, number> = {}
        for (const name of process.getActiveResourcesInfo()) counts[name] = (counts[name] ?? 0) + 1
        return counts
      }
      const cycle = async (n: number): Promise<void> => {
        const bus = await createEventBus({ url: rabbitUrl(), namespace: client.namespace, source: "starts" })
        const handled: Array<number> = []
        let resolve = (): void => {}
        const delivered = new Promise<void>((done) => (resolve = done))
        await bus.subscribe("starts.counter", {
          events: [Happened],
          handler: ({ data }) => {
            handled.push(data.n)
            resolve()
          }
        })
        await bus.publish(Happened, { n })
        await delivered
        await bus.close()
        assert.deepStrictEqual(handled, [n])
      }
      // Not counted: what is loaded and made once.
      for (let n = 0; n < 3; n++) await cycle(n)
      await delay(50)
      const before = resources()
      const signals = ["SIGTERM", "SIGINT", "exit", "uncaughtException"].map((name) => process.listenerCount(name))
      for (let n = 3; n < 53; n++) await cycle(n)
      await delay(50)
      const after = resources()
      process.off("warning", onWarning)
      assert.isAtMost(after["TCPSocketWrap"] ?? 0, before["TCPSocketWrap"] ?? 0)
      // Other timers of this test process come and go by one or two; fifty leaks would be fifty.
      assert.isAtMost(after["Timeout"] ?? 0, (before["Timeout"] ?? 0) + 3)
      assert.deepStrictEqual(
        ["SIGTERM", "SIGINT", "exit", "uncaughtException"].map((name) => process.listenerCount(name)),
        signals
      )
      assert.isEmpty(warnings)
    })
  },
  ["rabbit"]
)
