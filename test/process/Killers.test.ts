/** Events that end their process, which is started again each time: they become dead letters, and nobody else does (P3). */
import { afterAll, assert, beforeAll, it } from "vitest"
import { describeLive, freshNamespace, rabbitUrl } from "../support/live.ts"
import { type Bench, type Case, openBench, orders, until } from "./Bench.ts"
import type { Order, ServiceOptions } from "./Contract.ts"
import type { Service } from "./Process.ts"

/** Starts so many services again whenever they end, as an orchestrator does. */
const keepAlive = (test: Case, options: Partial<ServiceOptions>, replicas: number) => {
  const lives: Array<Service> = []
  let over = false
  const keep = async (): Promise<void> => {
    while (!over) {
      const service = test.service(options)
      lives.push(service)
      await service.ended
    }
  }
  const kept = Promise.all(Array.from({ length: replicas }, keep))
  return {
    lives,
    stop: async (): Promise<void> => {
      over = true
      for (const service of lives) service.terminate()
      await kept
    }
  }
}

describeLive(
  "an event that kills its process",
  () => {
    let bench: Bench
    beforeAll(async () => void (bench = await openBench(rabbitUrl(), freshNamespace())))
    afterAll(() => bench[Symbol.asyncDispose]())

    const cases: ReadonlyArray<{
      readonly name: string
      readonly ordering: "none" | "key"
      readonly act: "abort" | "exit"
      readonly killers: ReadonlyArray<number>
      readonly replicas: number
    }> = [
      { name: "two that abort", ordering: "none", act: "abort", killers: [0, 1], replicas: 1 },
      { name: "one that exits, by key", ordering: "key", act: "exit", killers: [0], replicas: 1 },
      { name: "two replicas", ordering: "none", act: "exit", killers: [0], replicas: 2 },
      { name: "two replicas, by key", ordering: "key", act: "abort", killers: [0], replicas: 2 }
    ]
    for (const { act, killers, name, ordering, replicas } of cases) {
      it.concurrent(`C11, N6, P3: ${name}: dead-lettered as CrashLoop, neighbours are handled`, async () => {
        await using test = bench.begin()
        const first = test.service({ ordering })
        await first.says("ready")
        first.terminate()
        await first.ended
        const count = 12
        // By key each two share one: what stands behind a killer comes through as well.
        // They stand behind it and take longer than it does: whatever is delivered beside it dies with it, each time.
        const all: ReadonlyArray<Order> = orders(count, { ms: 150 }).map((order) => ({
          ...order,
          k: `k${order.n % 10}`,
          ...(killers.includes(order.n) && { act, ms: 60 })
        }))
        await test.publish(all)
        const { lives, stop } = keepAlive(test, { ordering, concurrency: 4, prefetch: 20 }, replicas)
        const handled = (): ReadonlySet<number> =>
          new Set(lives.flatMap((service) => service.of("handled").map(({ n = -1 }) => n)))
        await until(
          () => `${handled().size} handled after ${lives.length} lives`,
          async () =>
            handled().size >= count - killers.length &&
            (await bench.bus.deadLetters.count(test.subscriber)) >= killers.length,
          60
        )
        await stop()
        const letters = await bench.bus.deadLetters.list(test.subscriber)
        const numbers = letters.map(({ body }) => (JSON.parse(body.toString()) as { readonly data: Order }).data.n)
        assert.sameMembers(numbers, [...killers])
        for (const letter of letters) {
          assert.strictEqual(letter.reason, "CrashLoop")
          assert.strictEqual(letter.subscriber, test.subscriber)
          assert.match(letter.error.message, /came back unsettled 1\d times/)
        }
        assert.isAtMost(lives.length, 10 * killers.length + 2 * replicas, "it was run again after it was given up")
        await test.rests(0)
      }, 120_000)
    }
  },
  ["rabbit"]
)
