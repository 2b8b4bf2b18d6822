/** By key, events that end their process become dead letters, no other event does, and each key keeps its order. */
import { afterAll, assert, beforeAll, it } from "vitest"
import { describeLive, freshNamespace, rabbitUrl } from "../support/live.ts"
import { type TestCase, type TestClient, openTestClient, orders, until, upTo } from "./TestClient.ts"
import { type Order, orderOf } from "./Orders.ts"
import { keepAlive } from "./ServiceProcess.ts"

/** What each event of the window loses together, before its key is parked. */
const sharedDeaths = 5
/** What each killer costs alone: starts that are written down and never end. */
const ownDeaths = 3

/** Declares the queue, so that the events are there when the first process begins. */
const declare = async (test: TestCase): Promise<void> => {
  const options = { events: [orderOf(test.event)], ordering: "key", handler: () => {} } as const
  const subscription = await test.client.bus.subscribe(test.subscriber, options)
  await subscription.drain()
}

describeLive(
  "killers by key",
  () => {
    let client: TestClient
    beforeAll(async () => void (client = await openTestClient(rabbitUrl(), freshNamespace())))
    afterAll(() => client[Symbol.asyncDispose]())

    const cases: ReadonlyArray<{
      readonly name: string
      readonly count: number
      readonly keys: number
      readonly killers: ReadonlyArray<number>
      /** Milliseconds until a killer ends its process, and until the handler of another event ends. */
      readonly millis: readonly [number, number]
      readonly act: "abort" | "exit"
      readonly replicas: number
    }> = [
      // All others take longer, so whatever runs beside it dies with it.
      { name: "one after a while", count: 12, keys: 10, killers: [0], millis: [60, 150], act: "abort", replicas: 2 },
      { name: "three", count: 16, keys: 4, killers: [0, 5, 11], millis: [5, 20], act: "exit", replicas: 1 },
      // More of them than an event has lives, some behind each other, and events beyond the window.
      {
        name: "twelve at once",
        count: 30,
        keys: 7,
        killers: [0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 14, 21],
        millis: [0, 1],
        act: "abort",
        replicas: 2
      }
    ]
    for (const { act, count, keys, killers, millis, name, replicas } of cases) {
      it.concurrent(
        `C11, N6, P3, P6: ${name}: dead-lettered as CrashLoop, all others are handled in order`,
        { timeout: 900_000 },
        async () => {
          await using test = client.begin()
          await declare(test)
          const [killing, working] = millis
          await test.publish(
            orders(count, { ms: working }).map((order) => ({
              ...order,
              k: `k${order.n % keys}`,
              ...(killers.includes(order.n) && { act, ms: killing })
            }))
          )
          const { lives, stop } = keepAlive(
            () => test.service({ ordering: "key", concurrency: 4, prefetch: 20 }),
            replicas
          )
          const handled = (): ReadonlyArray<number> =>
            lives
              .flatMap((service) => service.of("handled"))
              .toSorted((a, b) => a.at - b.at)
              .map(({ n = -1 }) => n)
          const innocents = upTo(count).filter((n) => !killers.includes(n))
          let letters = 0
          await until(
            () => `${new Set(handled()).size} handled, ${letters} letters after ${lives.length} lives`,
            async () => {
              letters = await client.bus.deadLetters.count(test.subscriber)
              return new Set(handled()).size >= innocents.length && letters >= killers.length
            },
            // Some forty lives of a process.
            850
          )
          await stop()
          const list = await client.bus.deadLetters.list(test.subscriber)
          assert.sameMembers(
            list.map(({ body }) => (JSON.parse(body.toString()) as { readonly data: Order }).data.n),
            [...killers]
          )
          for (const letter of list) assert.strictEqual(letter.reason, "CrashLoop")
          assert.sameMembers([...new Set(handled())], innocents)
          for (const key of upTo(keys)) {
            const lane = [...new Set(handled())].filter((n) => n % keys === key)
            assert.deepStrictEqual(
              lane,
              lane.toSorted((a, b) => a - b),
              `key ${key} is out of order`
            )
          }
          // Each of the last lives ended by SIGTERM.
          const deaths = lives.length - replicas
          assert.isAtMost(deaths, sharedDeaths + ownDeaths * killers.length, "a killer started too often")
          // What the queue still has was handled, and came back with a process that ended.
        }
      )
    }

    it.concurrent("C12, P3, P6: 25 deploys in which the first event does not end and the others do not start: no dead letter", async () => {
      await using test = client.begin()
      await declare(test)
      const options = { events: [orderOf(test.event)], ordering: "key", concurrency: 1, prefetch: 20 } as const
      const count = 6
      await test.publish(orders(count).map((order) => ({ ...order, k: `k${order.n % 3}` })))
      for (let deploy = 0; deploy < 25; deploy++) {
        const started = Promise.withResolvers<void>()
        const subscription = await client.bus.subscribe(test.subscriber, {
          ...options,
          handler: (_, { signal }) => {
            started.resolve()
            return new Promise((_, reject) => signal.addEventListener("abort", reject))
          }
        })
        await started.promise
        await subscription.stop()
      }
      const handled: Array<number> = []
      const last = await client.bus.subscribe(test.subscriber, {
        ...options,
        handler: ({ data }) => void handled.push(data.n)
      })
      await until(
        () => `handled: ${handled}`,
        () => handled.length >= count
      )
      await last.drain()
      assert.sameMembers(handled, [...upTo(count)])
      for (const key of upTo(3)) {
        const lane = handled.filter((n) => n % 3 === key)
        assert.deepStrictEqual(
          lane,
          lane.toSorted((a, b) => a - b)
        )
      }
      await test.waitForReady(0)
      assert.strictEqual(await client.bus.deadLetters.count(test.subscriber), 0)
    })
  },
  ["rabbit"]
)
