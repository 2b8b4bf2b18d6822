/** SIGTERM while everything goes well around a service: what runs is finished, the rest is in the queue (P12). */
import { afterAll, assert, beforeAll, it } from "vitest"
import { describeLive, freshNamespace, rabbitUrl } from "../support/live.ts"
import { type Bench, numbersOf, openBench, orders, phasesOf, until, upTo } from "./Bench.ts"
import { echoOf } from "./Contract.ts"
import type { Ending } from "./Process.ts"

const drained: Ending = { code: 0, signal: null }
const cutOff: Ending = { code: 1, signal: null }

describeLive(
  "SIGTERM",
  () => {
    let bench: Bench
    beforeAll(async () => void (bench = await openBench(rabbitUrl(), freshNamespace())))
    afterAll(() => bench[Symbol.asyncDispose]())

    it.concurrent("S1, P12: busy: what runs is finished and acknowledged, the rest goes back, a life poorer at most", async () => {
      await using test = bench.begin()
      const service = test.service({ concurrency: 4, prefetch: 10 })
      await service.says("ready")
      await test.publish(orders(40, { ms: 150 }))
      await service.says("handled", 6)
      service.terminate()
      assert.deepStrictEqual(await service.ended, drained, service.told())
      const done = numbersOf(service.of("handled"))
      assert.deepStrictEqual(numbersOf(service.of("started")), done, "something was started and not finished")
      await test.rests(40 - done.length)
      const left = await test.take()
      assert.deepStrictEqual(numbersOf([...left, ...service.of("handled")]), upTo(40), service.told())
      assert.isAtMost(Math.max(...left.map(({ count }) => count)), 1)
      assert.isAtMost(left.filter(({ count }) => count === 1).length, 10, "more than the prefetch paid")
      assert.isTrue(left.every(({ attempt }) => attempt === 1))
    })

    it.concurrent("S1, P12: two subscribers drain beside each other, whether they share a scope or not", async () => {
      const ends = [false, true].map(async (together) => {
        await using test = bench.begin()
        const subscribers = ["a", "b", "c"].map((part) => `${test.subscriber}.${part}`)
        const service = test.service({ subscribers, together, drain: 1500 })
        await service.says("ready")
        // Each would have 1,080 of the 1,500 milliseconds if it were alone.
        await test.publish(orders(1, { act: "deaf", ms: 700 }))
        await service.says("started", 3)
        service.terminate()
        assert.deepStrictEqual(await service.ended, drained, service.told())
        assert.strictEqual(service.of("handled").length, 3)
      })
      await Promise.all(ends)
    })

    it.concurrent("N14, P12: a handler beyond its budget is interrupted and its event given back: exit code 1, no attempt", async () => {
      await using test = bench.begin()
      const service = test.service({ drain: 1000 })
      await service.says("ready")
      await test.publish([...orders(1, { act: "hang" }), ...orders(1, { ms: 300 }, 1)])
      await service.says("started", 2)
      service.terminate()
      assert.deepStrictEqual(await service.ended, cutOff, service.told())
      assert.deepStrictEqual(phasesOf(service), ["handlers"], service.told())
      assert.deepStrictEqual(numbersOf(service.of("handled")), [1])
      assert.deepStrictEqual(numbersOf(service.of("interrupted")), [0])
      await test.rests(1)
      assert.deepInclude((await test.take())[0], { n: 0, count: 1, attempt: 1 })
    })

    it.concurrent("N14, P12: a handler that cannot be interrupted does not hold the process: exit code 1", async () => {
      await using test = bench.begin()
      const service = test.service({ drain: 1000 })
      await service.says("ready")
      await test.publish(orders(1, { act: "deaf", ms: 600_000 }))
      await service.says("started")
      service.terminate()
      assert.deepStrictEqual(await service.ended, cutOff, service.told())
      assert.deepStrictEqual(phasesOf(service), ["handlers"], service.told())
      await test.rests(1)
      assert.deepInclude((await test.take())[0], { n: 0, count: 1, attempt: 1 })
    })

    it.concurrent("S3, P12: the second signal ends it at once with 1, while the first drains", async () => {
      await using test = bench.begin()
      const service = test.service({ drain: 600_000 })
      await service.says("ready")
      await test.publish([...orders(1, { act: "hang" }), ...orders(1, { act: "publish", ms: 300 }, 1)])
      await service.says("started", 2)
      service.terminate()
      // Two signals at once could be one.
      await service.says("published")
      assert.isTrue(service.isRunning())
      service.terminate()
      assert.deepStrictEqual(await service.ended, cutOff, service.told())
      assert.deepStrictEqual(service.of("interrupted"), [])
      // The acknowledgement of the other may have been on its way.
      await until(
        () => "it still consumes",
        async () => (await test.queue()).consumers === 0 && (await test.queue()).ready > 0
      )
      assert.include(numbersOf(await test.take()), 0)
    })

    it.concurrent("R4, P7, P12: a retry that waits in the process is handed to the broker: the next process makes attempt 2", async () => {
      await using test = bench.begin()
      const service = test.service({ retry: 900 })
      await service.says("ready")
      await test.publish(orders(3, { act: "fail" }))
      await service.says("log", 3, ({ message }) => message === "attempt failed")
      service.terminate()
      assert.deepStrictEqual(await service.ended, drained, service.told())
      assert.strictEqual(service.of("started").length, 3, "it waited for the retries")
      const next = test.service()
      await next.says("handled", 3)
      assert.deepStrictEqual(
        next.of("started").map(({ attempt }) => attempt),
        [2, 2, 2]
      )
      for (const { at, n } of next.of("started")) {
        const first = service.of("started").find((line) => line.n === n)
        assert.isAtLeast(at - (first?.at ?? 0), 898)
      }
    })

    it.concurrent("C18, N12, P12: handlers publish during the drain, others do not any more", async () => {
      await using test = bench.begin()
      const echoes: Array<number> = []
      await bench.bus.subscribe(`${test.subscriber}.echo`, {
        events: [echoOf(test.event)],
        handler: ({ data }) => void echoes.push(data.n)
      })
      const service = test.service({ publishing: 1 })
      await service.says("ready")
      // The numbers of those who are no handlers begin at 0 and do not come so far.
      await test.publish(orders(3, { act: "publish", ms: 500 }, 1_000_000))
      await service.says("started", 3)
      service.terminate()
      assert.deepStrictEqual(await service.ended, drained, service.told())
      assert.strictEqual(service.of("handled").length, 3)
      const fromHandlers = service.of("published").filter(({ n = 0 }) => n >= 1_000_000)
      assert.deepStrictEqual(
        fromHandlers.map(({ outcome }) => outcome),
        ["Confirmed", "Confirmed", "Confirmed"]
      )
      const others = service.of("published").filter(({ n = 0 }) => n < 1_000_000)
      assert.isAbove(others.length, 0)
      assert.isTrue(others.at(-1)!.at < fromHandlers[0]!.at, "somebody else published while it drained")
      const confirmed = service.of("published").filter(({ outcome }) => outcome === "Confirmed")
      await until(
        () => `${echoes.length} of ${confirmed.length} arrived`,
        () => confirmed.every(({ n = -1 }) => echoes.includes(n))
      )
      await test.rests(0)
    })

    it.concurrent("C13, P6, P12: keyed: what runs is finished, what waits in its lane goes on in the next process, in order and without overlap", async () => {
      await using test = bench.begin()
      const service = test.service({ ordering: "key" })
      await service.says("ready")
      // Before there is anything to do: it stands by from the first event on.
      const standby = test.service({ ordering: "key" })
      await standby.says("ready")
      await test.publish(upTo(20).flatMap((n) => ["x", "y"].map((k) => ({ n, k, act: "work" as const, ms: 100 }))))
      await service.says("handled", 6)
      assert.isEmpty(standby.of("started"))
      service.terminate()
      assert.deepStrictEqual(await service.ended, drained, service.told())
      assert.isBelow(service.of("handled").length, 40, "nothing was left to take over")
      await standby.says("handled", 40 - service.of("handled").length)
      for (const key of ["x", "y"]) {
        const ofKey = [...service.lines, ...standby.lines].filter(({ k }) => k === key)
        const once = upTo(20).flatMap((n) => [`started ${n}`, `handled ${n}`])
        assert.deepStrictEqual(
          ofKey.toSorted((a, b) => a.at - b.at).map(({ n, say }) => `${say} ${n}`),
          once
        )
      }
      standby.terminate()
      assert.deepStrictEqual(await standby.ended, drained, standby.told())
      await test.rests(0)
    })
  },
  ["rabbit"]
)
