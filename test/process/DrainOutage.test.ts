/** SIGTERM while the broker hangs, blocks, is gone or was never there: the service ends anyway and loses nothing. */
import { setTimeout as delay } from "node:timers/promises"
import { afterAll, assert, beforeAll, it } from "vitest"
import { describeLive, freshNamespace } from "../support/live.ts"
import { type RabbitNode, startRabbit } from "../support/RabbitNode.ts"
import { type TestClient, numbersOf, openTestClient, orders, phasesOf, until, upTo } from "./TestClient.ts"
import type { Ending } from "./ServiceProcess.ts"

const drained: Ending = { code: 0, signal: null }
const cutOff: Ending = { code: 1, signal: null }

describeLive(
  "SIGTERM in an outage",
  () => {
    let node: RabbitNode | undefined
    let client: TestClient
    beforeAll(async () => {
      node = await startRabbit()
      client = await openTestClient(node.url, freshNamespace())
    })
    afterAll(async () => {
      await client[Symbol.asyncDispose]()
      await node?.stop()
    })
    const broker = (): RabbitNode => {
      if (node === undefined) throw new Error("the node did not start")
      return node
    }

    for (const ordering of ["none", "key"] as const) {
      it.concurrent(`S2, P12: half-open: the service ends, events that it held come again, ordering "${ordering}"`, async () => {
        await using test = client.begin()
        const { proxy, url } = await test.network()
        const service = test.service({ url, ordering, prefetch: 10, drain: 10_000 })
        await service.waitFor("ready")
        await test.publish(orders(20, { ms: 200 }))
        await service.waitFor("started", 5)
        proxy.stall("both")
        service.terminate()
        assert.deepStrictEqual((await service.ended).signal, null, service.output())
        assert.deepStrictEqual(numbersOf(service.of("started")), numbersOf(service.of("handled")))
        await proxy.close()
        const next = test.service({ ordering })
        const known = new Set(service.of("handled").map(({ n }) => n))
        await until(
          () => "events are lost",
          () => {
            for (const { n } of next.of("handled")) known.add(n)
            return known.size === 20
          }
        )
        next.terminate()
        await next.ended
        await test.waitForReady(0)
      })
    }

    it.concurrent("S2, P12: half-open and idle: every close has its deadline", async () => {
      await using test = client.begin()
      const { proxy, url } = await test.network()
      const service = test.service({ url })
      await service.waitFor("ready")
      proxy.stall("both")
      service.terminate()
      assert.deepStrictEqual(await service.ended, drained, service.output())
    })

    it.concurrent("S2, P12: half-open beyond the budget: cut off", async () => {
      await using test = client.begin()
      const { proxy, url } = await test.network()
      const service = test.service({ url, drain: 5000 })
      await service.waitFor("ready")
      await test.publish([...orders(1, { act: "hang" }), ...orders(1, { act: "publish", ms: 100 }, 1)])
      await service.waitFor("started", 2)
      proxy.stall("both")
      service.terminate()
      assert.deepStrictEqual(await service.ended, cutOff, service.output())
      await proxy.close()
      await test.waitForReady(2)
      assert.deepStrictEqual(numbersOf(await test.take()), [0, 1])
    })

    it.concurrent("S4, P12: connecting to a broker that refuses", async () => {
      await using test = client.begin()
      const { proxy, url } = await test.network()
      await proxy.refuse(true)
      const service = test.service({ url, waitForBroker: true })
      await service.waitFor("begun")
      service.terminate()
      assert.deepStrictEqual(await service.ended, drained, service.output())
      assert.isEmpty(service.of("ready"))
    })

    it.concurrent("S2, S4, P12: the connection stalls while the service connects, opens, declares or consumes: it ends at each step", async () => {
      await using test = client.begin()
      const ends = [0, 10, 20, 40, 80, 160].map(async (millis) => {
        const { proxy, url } = await test.network()
        const service = test.service({ url, waitForBroker: true })
        await until(
          () => "it does not connect",
          () => proxy.connections() > 0
        )
        await delay(millis)
        proxy.stall("both")
        service.terminate()
        assert.deepStrictEqual(await service.ended, drained, `${millis} ms: ${service.output()}`)
        await proxy.close()
      })
      await Promise.all(ends)
      await until(
        () => "a consumer is left",
        async () => {
          const channel = await client.connection.createChannel()
          channel.on("error", () => {})
          const seen = await channel.checkQueue(`${client.namespace}.sub.${test.subscriber}`).catch(() => undefined)
          if (seen !== undefined) await channel.close()
          return seen === undefined || seen.consumerCount === 0
        }
      )
    })

    it.concurrent("P12, N14: a copy waits for its confirm: its event is settled when that comes, given back when it does not", async () => {
      const ends = [true, false].map(async (confirmed) => {
        await using test = client.begin()
        const { proxy, url } = await test.network()
        const service = test.service({ url, drain: confirmed ? 60_000 : 6000 })
        const letters = (count: number) =>
          until(
            () => `not ${count} dead letters`,
            async () => (await client.bus.deadLetters.count(test.subscriber)) === count
          )
        await service.waitFor("ready")
        // From then on the service need not ask for the right to write dead letters.
        await test.publish(orders(1, { act: "reject", ms: 1 }, 1))
        await letters(1)
        await test.publish(orders(1, { act: "reject" }))
        await service.waitFor("started", 1, ({ n }) => n === 0)
        proxy.stall("down")
        service.release()
        await letters(2)
        service.terminate()
        if (confirmed) {
          // The drain may begin before or after: the end is the same.
          await delay(100)
          proxy.resume()
        }
        assert.deepStrictEqual(await service.ended, confirmed ? drained : cutOff, service.output())
        if (!confirmed) assert.include(phasesOf(service), "settlement", service.output())
        await proxy.close()
        await test.waitForReady(confirmed ? 0 : 1)
        assert.strictEqual(await client.bus.deadLetters.count(test.subscriber), 2)
        if (!confirmed) assert.deepInclude((await test.take())[0], { n: 0, count: client.countOfReturn })
      })
      await Promise.all(ends)
    })

    it("PUB7, P12: blocked by a memory alarm: running handlers finish, unconfirmed publishes are logged, their events given back", async () => {
      await using idle = client.begin()
      await using busy = client.begin()
      await using publishing = client.begin()
      const quiet = idle.service()
      const working = busy.service({ concurrency: 2 })
      const talking = publishing.service({ publishing: 5, drain: 8000 })
      await Promise.all([quiet, working, talking].map((service) => service.waitFor("ready")))
      await busy.publish(orders(40, { ms: 300 }))
      // It publishes after the alarm, within the time that handlers have.
      await publishing.publish(orders(1, { act: "publish-at-end" }, 1_000_000))
      await talking.waitFor("started")
      await broker().ctl("set_vm_memory_high_watermark", "0.0001")
      let inFlight = 0
      try {
        await until(
          () => "the publishing connection is not blocked",
          async () => {
            const before = talking.of("published").length
            const states = await broker().eval("rabbit_networking:connection_info_all([state]).")
            // A busy broker may take its time for the confirms of what it took before.
            await delay(2000)
            // Blocked, and none of the five publishes ends any more.
            return /\bblocked\b/.test(states) && talking.of("published").length === before
          }
        )
        talking.release()
        const { fields } = await talking.waitFor("looked")
        // One at least was sent before the service knew that it is blocked: a publish is what the broker blocks.
        // Publishes past their deadline are still in flight, and others have begun since.
        inFlight = Number(fields?.["inFlight"])
        assert.isAtLeast(inFlight, 1)
        assert.isAtLeast(inFlight + Number(fields?.["waiting"]), 5)
        for (const service of [quiet, working, talking]) service.terminate()
        assert.deepStrictEqual(await quiet.ended, drained, quiet.output())
        assert.deepStrictEqual(await working.ended, drained, working.output())
        assert.deepStrictEqual(await talking.ended, cutOff, talking.output().slice(-2000))
      } finally {
        await broker().ctl("set_vm_memory_high_watermark", "absolute", "1GB")
      }
      const line = talking.of("log").find(({ message }) => message === "the drain was cut off")
      assert.strictEqual(line?.fields?.["publishesOpen"], inFlight, talking.output().slice(-2000))
      assert.isEmpty(talking.of("handled"))
      assert.deepStrictEqual(numbersOf(working.of("started")), numbersOf(working.of("handled")))
      await idle.waitForReady(0)
      await busy.waitForReady(40 - working.of("handled").length)
      await publishing.waitForReady(1)
      assert.deepInclude((await publishing.take())[0], { n: 1_000_000, count: client.countOfReturn, attempt: 1 })
    })

    it("S2, P12: the broker is frozen: services end, and their other events are handled afterwards", async () => {
      await using idle = client.begin()
      await using busy = client.begin()
      await using late = client.begin()
      await using never = client.begin()
      const quiet = idle.service()
      const working = busy.service({ concurrency: 2, prefetch: 6 })
      const hanging = late.service({ drain: 5000 })
      await Promise.all([quiet, working, hanging].map((service) => service.waitFor("ready")))
      await busy.publish(orders(6, { ms: 300 }))
      await late.publish(orders(1, { act: "hang" }))
      await hanging.waitFor("started")
      await working.waitFor("started")
      await broker().suspend()
      const connecting = never.service({ waitForBroker: true })
      try {
        await connecting.waitFor("begun")
        for (const service of [quiet, working, hanging, connecting]) service.terminate()
        assert.deepStrictEqual(await quiet.ended, drained, quiet.output())
        assert.deepStrictEqual(await working.ended, drained, working.output())
        assert.deepStrictEqual(await hanging.ended, cutOff, hanging.output())
        assert.deepStrictEqual(await connecting.ended, drained, connecting.output())
      } finally {
        await broker().resume()
      }
      await late.waitForReady(1)
      const next = busy.service()
      const known = new Set(working.of("handled").map(({ n }) => n))
      await until(
        () => "events are lost",
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
