/** Events that end their process, which is started again each time: they become dead letters, and no other event does. */
import { afterAll, assert, beforeAll, it } from "vitest"
import { describeLive, freshNamespace, rabbitUrl } from "../support/live.ts"
import { type TestClient, type TestCase, openTestClient, orders, until } from "./TestClient.ts"
import type { Order, ServiceOptions } from "./Orders.ts"
import type { Service } from "./ServiceProcess.ts"

/** Keeps `replicas` services alive, as an orchestrator does. */
const keepAlive = (test: TestCase, options: Partial<ServiceOptions>, replicas: number) => {
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
    let client: TestClient
    beforeAll(async () => void (client = await openTestClient(rabbitUrl(), freshNamespace())))
    afterAll(() => client[Symbol.asyncDispose]())

    it.concurrent("P3: what was handled is acknowledged although the process ends in the same turn", async () => {
      await using test = client.begin()
      const first = test.service({ ordering: "key" })
      await first.waitFor("ready")
      first.terminate()
      await first.ended
      // The last one exits while the acknowledgements of the others wait for more of them.
      await test.publish(orders(6).map((order) => ({ ...order, k: "k", ...(order.n === 5 && { act: "exit" }) })))
      const service = test.service({ ordering: "key", concurrency: 1, prefetch: 20 })
      await service.ended
      assert.deepStrictEqual(
        service.of("handled").map(({ n }) => n),
        [0, 1, 2, 3, 4]
      )
      await test.waitForReady(1)
    })

    const cases: ReadonlyArray<{
      readonly name: string
      readonly ordering: "none" | "key"
      readonly act: "abort" | "exit"
      readonly killers: ReadonlyArray<number>
      readonly replicas: number
      /** They end the process in their first turn, and the others end at once, too. */
      readonly atOnce?: boolean
    }> = [
      { name: "two that abort", ordering: "none", act: "abort", killers: [0, 1], replicas: 1 },
      { name: "one that exits, by key", ordering: "key", act: "exit", killers: [0], replicas: 1 },
      { name: "two replicas", ordering: "none", act: "exit", killers: [0], replicas: 2 },
      { name: "two replicas, by key", ordering: "key", act: "abort", killers: [0], replicas: 2 },
      // What was handled before it must not come back in its place: its acknowledgement left before it began.
      { name: "three at once, by key", ordering: "key", act: "abort", killers: [0, 5, 11], replicas: 1, atOnce: true },
      { name: "the last one at once", ordering: "none", act: "abort", killers: [11], replicas: 1, atOnce: true }
    ]
    for (const { act, atOnce = false, killers, name, ordering, replicas } of cases) {
      it.concurrent(`C11, N6, P3: ${name}: dead-lettered as CrashLoop, neighbours are handled`, async () => {
        await using test = client.begin()
        const first = test.service({ ordering })
        await first.waitFor("ready")
        first.terminate()
        await first.ended
        const count = 12
        // Two events share each key: the one behind a killer must be handled, too. All others take longer than the killer,
        // so whatever is delivered with it dies with it, each time.
        const all: ReadonlyArray<Order> = orders(count, { ms: atOnce ? 0 : 150 }).map((order) => ({
          ...order,
          k: `k${order.n % 10}`,
          ...(killers.includes(order.n) && { act, ms: atOnce ? 0 : 60 })
        }))
        await test.publish(all)
        const { lives, stop } = keepAlive(test, { ordering, concurrency: 4, prefetch: 20 }, replicas)
        const handled = (): ReadonlySet<number> =>
          new Set(lives.flatMap((service) => service.of("handled").map(({ n = -1 }) => n)))
        await until(
          () => `${handled().size} handled after ${lives.length} lives`,
          async () =>
            handled().size >= count - killers.length &&
            (await client.bus.deadLetters.count(test.subscriber)) >= killers.length
        )
        await stop()
        const letters = await client.bus.deadLetters.list(test.subscriber)
        const numbers = letters.map(({ body }) => (JSON.parse(body.toString()) as { readonly data: Order }).data.n)
        assert.sameMembers(numbers, [...killers])
        for (const letter of letters) {
          assert.strictEqual(letter.reason, "CrashLoop")
          assert.strictEqual(letter.subscriber, test.subscriber)
          assert.match(letter.error.message, /came back unsettled (?:[89]|1\d) times/)
        }
        assert.isAtMost(lives.length, 10 * killers.length + 2 * replicas, "it ran again after it was dead-lettered")
        await test.waitForReady(0)
      })
    }
  },
  ["rabbit"]
)
