/** SIGTERM while all is well around a service: running handlers finish, the rest stays in the queue. */
import { afterAll, assert, beforeAll, it } from "vitest"
import { describeLive, freshNamespace, rabbitUrl } from "../support/live.ts"
import { type TestClient, numbersOf, openTestClient, orders, phasesOf, until, upTo } from "./TestClient.ts"
import { echoOf } from "./Orders.ts"
import type { Ending } from "./ServiceProcess.ts"

const drained: Ending = { code: 0, signal: null }
const cutOff: Ending = { code: 1, signal: null }

describeLive(
  "SIGTERM",
  () => {
    let client: TestClient
    beforeAll(async () => void (client = await openTestClient(rabbitUrl(), freshNamespace())))
    afterAll(() => client[Symbol.asyncDispose]())

    it.concurrent("S1, P12: busy: running handlers finish and acknowledge, the rest goes back, at most one life shorter", async () => {
      await using test = client.begin()
      const service = test.service({ concurrency: 4, prefetch: 10 })
      await service.waitFor("ready")
      await test.publish(orders(40, { ms: 150 }))
      await service.waitFor("handled", 6)
      service.terminate()
      assert.deepStrictEqual(await service.ended, drained, service.output())
      const done = numbersOf(service.of("handled"))
      assert.deepStrictEqual(numbersOf(service.of("started")), done, "a handler was started and did not finish")
      await test.waitForReady(40 - done.length)
      const left = await test.take()
      assert.deepStrictEqual(numbersOf([...left, ...service.of("handled")]), upTo(40), service.output())
      assert.isAtMost(Math.max(...left.map(({ count }) => count)), 1)
      assert.isAtMost(left.filter(({ count }) => count === 1).length, 10, "more events than the prefetch lost a life")
      assert.isTrue(left.every(({ attempt }) => attempt === 1))
    })

    it.concurrent("S1, P12: two subscribers drain beside each other, whether they share a scope or not", async () => {
      const ends = [false, true].map(async (together) => {
        await using test = client.begin()
        const subscribers = ["a", "b", "c"].map((part) => `${test.subscriber}.${part}`)
        const service = test.service({ subscribers, together, drain: 15_000 })
        await service.waitFor("ready")
        // Handlers have 10.8 of the 15 seconds: one after the other would take longer.
        await test.publish(orders(1, { act: "deaf", ms: 5500 }))
        await service.waitFor("started", 3)
        service.terminate()
        assert.deepStrictEqual(await service.ended, drained, service.output())
        assert.strictEqual(service.of("handled").length, 3)
      })
      await Promise.all(ends)
    })

    it.concurrent("N14, P12: a handler beyond its budget is interrupted and its event given back: exit code 1, no attempt", async () => {
      await using test = client.begin()
      const service = test.service({ drain: 6000 })
      await service.waitFor("ready")
      await test.publish([...orders(1, { act: "hang" }), ...orders(1, { ms: 300 }, 1)])
      await service.waitFor("started", 2)
      service.terminate()
      assert.deepStrictEqual(await service.ended, cutOff, service.output())
      assert.deepStrictEqual(phasesOf(service), ["handlers"], service.output())
      assert.deepStrictEqual(numbersOf(service.of("handled")), [1])
      assert.deepStrictEqual(numbersOf(service.of("interrupted")), [0])
      await test.waitForReady(1)
      assert.deepInclude((await test.take())[0], { n: 0, count: client.countOfReturn, attempt: 1 })
    })

    it.concurrent("N14, P12: a handler that cannot be interrupted does not keep the process alive: exit code 1", async () => {
      await using test = client.begin()
      const service = test.service({ drain: 3000 })
      await service.waitFor("ready")
      await test.publish(orders(1, { act: "deaf", ms: 600_000 }))
      await service.waitFor("started")
      service.terminate()
      assert.deepStrictEqual(await service.ended, cutOff, service.output())
      assert.deepStrictEqual(phasesOf(service), ["handlers"], service.output())
      await test.waitForReady(1)
      assert.deepInclude((await test.take())[0], { n: 0, count: client.countOfReturn, attempt: 1 })
    })

    it.concurrent("S3, P12: a second signal during the drain ends the process at once with 1", async () => {
      await using test = client.begin()
      const service = test.service({ drain: 600_000 })
      await service.waitFor("ready")
      await test.publish([...orders(1, { act: "hang" }), ...orders(1, { act: "publish-at-end" }, 1)])
      await service.waitFor("started", 2)
      service.terminate()
      // Two signals at once may arrive as one: wait until the first is handled.
      await service.waitFor("published")
      assert.isTrue(service.isRunning())
      service.terminate()
      assert.deepStrictEqual(await service.ended, cutOff, service.output())
      assert.deepStrictEqual(service.of("interrupted"), [])
      // The acknowledgement of the other event may have been on its way.
      await until(
        () => "it still consumes",
        async () => (await test.queue()).consumers === 0 && (await test.queue()).ready > 0
      )
      assert.include(numbersOf(await test.take()), 0)
    })

    it.concurrent("R4, P7, P12: a retry that waits in the process goes to the broker: the next process makes attempt 2", async () => {
      await using test = client.begin()
      const service = test.service({ retry: 8000 })
      await service.waitFor("ready")
      await test.publish(orders(3, { act: "fail" }))
      await service.waitFor("log", 3, ({ message }) => message === "attempt failed")
      service.terminate()
      assert.deepStrictEqual(await service.ended, drained, service.output())
      assert.strictEqual(service.of("started").length, 3, "the drain waited for the retries")
      const next = test.service()
      await next.waitFor("handled", 3)
      assert.deepStrictEqual(
        next.of("started").map(({ attempt }) => attempt),
        [2, 2, 2]
      )
      for (const { at, n } of next.of("started")) {
        const first = service.of("started").find((line) => line.n === n)
        assert.isAtLeast(at - (first?.at ?? 0), 7998)
      }
    })

    it.concurrent("C18, N12, P12: during the drain handlers can publish, other code cannot", async () => {
      await using test = client.begin()
      const echoes: Array<number> = []
      await client.bus.subscribe(`${test.subscriber}.echo`, {
        events: [echoOf(test.event)],
        handler: ({ data }) => void echoes.push(data.n)
      })
      const service = test.service({ publishing: 1 })
      await service.waitFor("ready")
      // Its first publish asks for its rights, which takes a while.
      await service.waitFor("published")
      // Publishes of other code are numbered from 0 and never get this far.
      await test.publish(orders(3, { act: "publish-at-end", ms: 500 }, 1_000_000))
      await service.waitFor("started", 3)
      service.terminate()
      assert.deepStrictEqual(await service.ended, drained, service.output())
      assert.strictEqual(service.of("handled").length, 3)
      const fromHandlers = service.of("published").filter(({ n = 0 }) => n >= 1_000_000)
      assert.deepStrictEqual(
        fromHandlers.map(({ outcome }) => outcome),
        ["Confirmed", "Confirmed", "Confirmed"]
      )
      const others = service.of("published").filter(({ n = 0 }) => n < 1_000_000)
      assert.isAbove(others.length, 0)
      assert.isTrue(others.at(-1)!.at < fromHandlers[0]!.at, "other code published during the drain")
      const confirmed = service.of("published").filter(({ outcome }) => outcome === "Confirmed")
      await until(
        () => `${echoes.length} of ${confirmed.length} arrived`,
        () => confirmed.every(({ n = -1 }) => echoes.includes(n))
      )
      await test.waitForReady(0)
    })

    it.concurrent("C13, P6, P12: keyed: running handlers finish, events that wait in a lane go on in the next process, in order, without overlap", async () => {
      await using test = client.begin()
      const service = test.service({ ordering: "key" })
      await service.waitFor("ready")
      // Started before there are events: it stands by from the first one on.
      const standby = test.service({ ordering: "key" })
      await standby.waitFor("ready")
      await test.publish(upTo(20).flatMap((n) => ["x", "y"].map((k) => ({ n, k, act: "work" as const, ms: 100 }))))
      await service.waitFor("handled", 6)
      assert.isEmpty(standby.of("started"))
      service.terminate()
      assert.deepStrictEqual(await service.ended, drained, service.output())
      assert.isBelow(service.of("handled").length, 40, "nothing was left to take over")
      await standby.waitFor("handled", 40 - service.of("handled").length)
      for (const key of ["x", "y"]) {
        const ofKey = [...service.lines, ...standby.lines].filter(({ k }) => k === key)
        const once = upTo(20).flatMap((n) => [`started ${n}`, `handled ${n}`])
        assert.deepStrictEqual(
          ofKey.toSorted((a, b) => a.at - b.at).map(({ n, type }) => `${type} ${n}`),
          once
        )
      }
      standby.terminate()
      assert.deepStrictEqual(await standby.ended, drained, standby.output())
      await test.waitForReady(0)
    })
  },
  ["rabbit"]
)
