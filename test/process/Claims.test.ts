/** By key and idempotent: what a process leaves behind holds its keys for the rest of a short lease, and no other key. */
import { afterAll, assert, beforeAll, it } from "vitest"
import { describeLive, freshNamespace, rabbitUrl, redisUrl } from "../support/live.ts"
import { type TestCase, type TestClient, numbersOf, openTestClient, orders, until } from "./TestClient.ts"
import type { Order, ServiceOptions } from "./Orders.ts"
import type { Service } from "./ServiceProcess.ts"

const minutes = 60_000

describeLive("a process that loses what it claimed", () => {
  let client: TestClient
  beforeAll(async () => {
    client = await openTestClient(rabbitUrl(), freshNamespace())
  })
  afterAll(() => client[Symbol.asyncDispose]())

  /** A claim that lasted as long as its handler may would be there for longer than any wait of a test. */
  const options: Partial<ServiceOptions> = {
    ordering: "key",
    prefetch: 8,
    concurrency: 4,
    claims: redisUrl(),
    deadline: 20 * minutes
  }
  const slow = (n: number, k: string): ReadonlyArray<Order> => orders(1, { act: "slow-once", ms: 15 * minutes, k }, n)
  const keysOf = (service: Service, key: string) =>
    service.of("handled").flatMap(({ attempt, k, n }) => (k === key ? [[n, attempt]] : []))

  /** The active process handles the first events of two keys. Another process is ready to take over. */
  const begin = async (test: TestCase, first: Service) => {
    await first.waitFor("ready")
    const next = test.service(options)
    await next.waitFor("ready")
    await test.publish([...slow(0, "a"), ...slow(1, "b")])
    await first.waitFor("started", 2)
    await test.publish([...orders(2, { k: "a" }, 2), ...orders(2, { k: "b" }, 4)])
    return next
  }

  /** The other process has handled everything, each key in its order. */
  const handledAll = async (test: TestCase, next: Service, others: ReadonlyArray<Order>): Promise<void> => {
    await test.publish(others)
    await next.waitFor("handled", 6 + others.length)
    assert.deepStrictEqual(
      keysOf(next, "a"),
      [0, 2, 3].map((n) => [n, 1])
    )
    assert.deepStrictEqual(
      keysOf(next, "b"),
      [1, 4, 5].map((n) => [n, 1])
    )
    assert.deepStrictEqual(numbersOf(next.of("handled")), numbersOf([...orders(6), ...others]))
    assert.strictEqual(await client.bus.deadLetters.count(test.subscriber), 0)
    assert.isEmpty(
      next.of("log").filter(({ message }) => message === "dead-lettered"),
      next.output()
    )
  }

  it.concurrent("C1, D6, P5: killed by SIGKILL: the next process handles the events that it had claimed", async () => {
    await using test = client.begin()
    const first = test.service(options)
    const next = await begin(test, first)
    first.kill()
    await first.ended
    await next.waitFor("log", 1, ({ message }) => message?.includes("another process has claimed") === true)
    await handledAll(test, next, orders(12, {}, 6))
  })

  it.concurrent("B1, D6, P5: a lost line: the process gives up what it had claimed, and the next one handles it", async () => {
    await using test = client.begin()
    const { proxy, url } = await test.network()
    const first = test.service({ ...options, url, heartbeat: 2 })
    const next = await begin(test, first)
    // The broker notices at once, and the process when it misses heartbeats: until then it renews what it claimed.
    proxy.lose()
    await next.waitFor("log", 1, ({ message }) => message?.includes("another process has claimed") === true)
    await handledAll(test, next, orders(12, {}, 6))
    await until(
      () => first.output(),
      () => first.of("interrupted").length === 2
    )
    assert.isEmpty(first.of("handled"))
  })
})
