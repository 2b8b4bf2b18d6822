/** SIGTERM while the broker hangs, blocks, is gone or was never there: it ends all the same, and loses nothing (P12). */
import { setTimeout as delay } from "node:timers/promises"
import { afterAll, assert, beforeAll, it } from "vitest"
import { describeLive, freshNamespace } from "../support/live.ts"
import { type RabbitNode, startRabbit } from "../support/RabbitNode.ts"
import { type Bench, numbersOf, openBench, orders, phasesOf, until, upTo } from "./Bench.ts"
import type { Ending } from "./Process.ts"

const drained: Ending = { code: 0, signal: null }
const cutOff: Ending = { code: 1, signal: null }

describeLive(
  "SIGTERM in an outage",
  () => {
    let node: RabbitNode | undefined
    let bench: Bench
    beforeAll(async () => {
      node = await startRabbit()
      bench = await openBench(node.url, freshNamespace())
    })
    afterAll(async () => {
      await bench[Symbol.asyncDispose]()
      await node?.stop()
    })
    const broker = (): RabbitNode => {
      if (node === undefined) throw new Error("the node did not start")
      return node
    }

    for (const ordering of ["none", "key"] as const) {
      it.concurrent(`S2, P12: half-open: it ends, what it held comes again, ordering "${ordering}"`, async () => {
        await using test = bench.begin()
        const { proxy, url } = await test.wire()
        const service = test.service({ url, ordering, prefetch: 10 })
        await service.says("ready")
        await test.publish(orders(20, { ms: 200 }))
        await service.says("started", 5)
        proxy.stall("both")
        service.terminate()
        assert.deepStrictEqual((await service.ended).signal, null, service.told())
        assert.deepStrictEqual(numbersOf(service.of("started")), numbersOf(service.of("handled")))
        await proxy.close()
        const next = test.service({ ordering })
        const known = new Set(service.of("handled").map(({ n }) => n))
        await until(
          () => "some are lost",
          () => {
            for (const { n } of next.of("handled")) known.add(n)
            return known.size === 20
          }
        )
        next.terminate()
        await next.ended
        await test.rests(0)
      })
    }

    it.concurrent("S2, P12: half-open and idle: every close has its deadline", async () => {
      await using test = bench.begin()
      const { proxy, url } = await test.wire()
      const service = test.service({ url })
      await service.says("ready")
      proxy.stall("both")
      service.terminate()
      assert.deepStrictEqual(await service.ended, drained, service.told())
    })

    it.concurrent("S2, P12: half-open beyond the budget: cut off", async () => {
      await using test = bench.begin()
      const { proxy, url } = await test.wire()
      const service = test.service({ url, drain: 1000 })
      await service.says("ready")
      await test.publish([...orders(1, { act: "hang" }), ...orders(1, { act: "publish", ms: 100 }, 1)])
      await service.says("started", 2)
      proxy.stall("both")
      service.terminate()
      assert.deepStrictEqual(await service.ended, cutOff, service.told())
      await proxy.close()
      await test.rests(2)
      assert.deepStrictEqual(numbersOf(await test.take()), [0, 1])
    })

    it.concurrent("S4, P12: connecting to a broker that refuses", async () => {
      await using test = bench.begin()
      const { proxy, url } = await test.wire()
      await proxy.refuse(true)
      const service = test.service({ url, waitForBroker: true })
      await service.says("begun")
      service.terminate()
      assert.deepStrictEqual(await service.ended, drained, service.told())
      assert.isEmpty(service.of("ready"))
    })

    it.concurrent("S2, S4, P12: connecting, opening, declaring, consuming on a line that stalls: at each await it ends", async () => {
      await using test = bench.begin()
      const ends = [0, 10, 20, 40, 80, 160].map(async (millis) => {
        const { proxy, url } = await test.wire()
        const service = test.service({ url, waitForBroker: true })
        await until(
          () => "it does not connect",
          () => proxy.connections() > 0
        )
        await delay(millis)
        proxy.stall("both")
        service.terminate()
        assert.deepStrictEqual(await service.ended, drained, `${millis} ms: ${service.told()}`)
        await proxy.close()
      })
      await Promise.all(ends)
      await until(
        () => "a consumer stayed",
        async () => {
          const channel = await bench.connection.createChannel()
          channel.on("error", () => {})
          const seen = await channel.checkQueue(`${bench.namespace}.sub.${test.subscriber}`).catch(() => undefined)
          if (seen !== undefined) await channel.close()
          return seen === undefined || seen.consumerCount === 0
        }
      )
    })

    it.concurrent("P12, N14: a copy that waits for its confirm: settled when that comes, given back when it does not", async () => {
      const ends = [true, false].map(async (comes) => {
        await using test = bench.begin()
        const { proxy, url } = await test.wire()
        const service = test.service({ url, drain: comes ? 20_000 : 1500 })
        await service.says("ready")
        await test.publish(orders(1, { act: "reject", ms: 300 }))
        await service.says("started")
        proxy.stall("down")
        await until(
          () => "no dead letter",
          async () => (await bench.bus.deadLetters.count(test.subscriber)) === 1
        )
        service.terminate()
        if (comes) {
          // The drain begins meanwhile, or it does not: the end is the same.
          await delay(100)
          proxy.resume()
        }
        assert.deepStrictEqual(await service.ended, comes ? drained : cutOff, service.told())
        if (!comes) assert.include(phasesOf(service), "settlement", service.told())
        await proxy.close()
        await test.rests(comes ? 0 : 1)
        assert.strictEqual(await bench.bus.deadLetters.count(test.subscriber), 1)
        if (!comes) assert.deepInclude((await test.take())[0], { n: 0, count: 1 })
      })
      await Promise.all(ends)
    })

    it("PUB7, P12: blocked by a memory alarm: what runs is finished, what was not confirmed is told and given back", async () => {
      await using idle = bench.begin()
      await using busy = bench.begin()
      await using publishing = bench.begin()
      const quiet = idle.service()
      const working = busy.service({ concurrency: 2 })
      const talking = publishing.service({ publishing: 5, drain: 6000 })
      await Promise.all([quiet, working, talking].map((service) => service.says("ready")))
      await busy.publish(orders(40, { ms: 300 }))
      // Later than the alarm, and within the time that handlers have.
      await publishing.publish(orders(1, { act: "publish", ms: 4000 }, 1_000_000))
      await talking.says("started")
      await broker().ctl("set_vm_memory_high_watermark", "0.0001")
      try {
        await until(
          () => "it is not blocked",
          async () => {
            // Five at a time go on without a pause, but for one of the machine's.
            const before = talking.of("published").length
            await delay(700)
            return talking.of("published").length === before
          }
        )
        for (const service of [quiet, working, talking]) service.terminate()
        assert.deepStrictEqual(await quiet.ended, drained, quiet.told())
        assert.deepStrictEqual(await working.ended, drained, working.told())
        assert.deepStrictEqual(await talking.ended, cutOff, talking.told().slice(-2000))
      } finally {
        await broker().ctl("set_vm_memory_high_watermark", "absolute", "1GB")
      }
      const told = talking.of("log").find(({ message }) => message === "the drain was cut off")
      assert.strictEqual(told?.fields?.["publishesOpen"], 5, talking.told().slice(-2000))
      assert.isEmpty(talking.of("handled"))
      assert.deepStrictEqual(numbersOf(working.of("started")), numbersOf(working.of("handled")))
      await idle.rests(0)
      await busy.rests(40 - working.of("handled").length)
      await publishing.rests(1)
      assert.deepInclude((await publishing.take())[0], { n: 1_000_000, count: 1, attempt: 1 })
    })

    it("S2, P12: the broker is frozen: services end; it goes on with what they had not done", async () => {
      await using idle = bench.begin()
      await using busy = bench.begin()
      await using late = bench.begin()
      await using never = bench.begin()
      const quiet = idle.service()
      const working = busy.service({ concurrency: 2, prefetch: 6 })
      const hanging = late.service({ drain: 1000 })
      await Promise.all([quiet, working, hanging].map((service) => service.says("ready")))
      await busy.publish(orders(6, { ms: 300 }))
      await late.publish(orders(1, { act: "hang" }))
      await hanging.says("started")
      await working.says("started")
      await broker().suspend()
      const connecting = never.service({ waitForBroker: true })
      try {
        await connecting.says("begun")
        for (const service of [quiet, working, hanging, connecting]) service.terminate()
        assert.deepStrictEqual(await quiet.ended, drained, quiet.told())
        assert.deepStrictEqual(await working.ended, drained, working.told())
        assert.deepStrictEqual(await hanging.ended, cutOff, hanging.told())
        assert.deepStrictEqual(await connecting.ended, drained, connecting.told())
      } finally {
        await broker().resume()
      }
      await late.rests(1)
      const next = busy.service()
      const known = new Set(working.of("handled").map(({ n }) => n))
      await until(
        () => "some are lost",
        () => {
          for (const { n } of next.of("handled")) known.add(n)
          return known.size === 6
        }
      )
      assert.sameMembers([...known], [...upTo(6)])
    })
  },
  ["rabbitNode"]
)
