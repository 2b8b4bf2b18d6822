/**
 * Events that end their process, which is started again each time: they become dead letters, and no other event does. By
 * key see `KeyedKillers.test.ts`.
 */
import { afterAll, assert, beforeAll, it } from "vitest"
import { describeLive, freshNamespace, rabbitUrl } from "../support/live.ts"
import { type TestClient, openTestClient, orders, until } from "./TestClient.ts"
import type { Order } from "./Orders.ts"
import { keepAlive } from "./ServiceProcess.ts"

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
      readonly act: "abort" | "exit"
      readonly killers: ReadonlyArray<number>
      readonly replicas: number
      /** They end the process in their first turn, and the others end at once, too. */
      readonly atOnce?: boolean
    }> = [
      { name: "two that abort", act: "abort", killers: [0, 1], replicas: 1 },
      { name: "two replicas", act: "exit", killers: [0], replicas: 2 },
      { name: "the last one at once", act: "abort", killers: [11], replicas: 1, atOnce: true }
    ]
    for (const { act, atOnce = false, killers, name, replicas } of cases) {
      it.concurrent(`C11, N6, P3: ${name}: dead-lettered as CrashLoop, neighbours are handled`, async () => {
        await using test = client.begin()
        const first = test.service()
        await first.waitFor("ready")
        first.terminate()
        await first.ended
        const count = 12
        // All others take longer than the killer, so whatever is delivered with it dies with it, each time.
        const all: ReadonlyArray<Order> = orders(count, { ms: atOnce ? 0 : 150 }).map((order) => ({
          ...order,
          k: `k${order.n % 10}`,
          ...(killers.includes(order.n) && { act, ms: atOnce ? 0 : 60 })
        }))
        await test.publish(all)
        const { lives, stop } = keepAlive(() => test.service({ concurrency: 4, prefetch: 20 }), replicas)
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
