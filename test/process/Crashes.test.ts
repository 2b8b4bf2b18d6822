/** Processes that die, hang or are late at the worst moment: no event is lost, and duplicates have the same id. */
import { afterAll, assert, beforeAll, it } from "vitest"
import { describeLive, freshNamespace } from "../support/live.ts"
import { type RabbitNode, startRabbit } from "../support/RabbitNode.ts"
import { isFrom43 } from "../amqp/setup/NodeSettings.ts"
import { type TestClient, numbersOf, openTestClient, orders, until } from "./TestClient.ts"
import type { Ending } from "./ServiceProcess.ts"

const drained: Ending = { code: 0, signal: null }
const killed: Ending = { code: null, signal: "SIGKILL" }

describeLive(
  "a process that dies",
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

    it.concurrent("C1, P3: between handling and ack: handled again, with the same id", async () => {
      await using test = client.begin()
      const first = test.service()
      await first.waitFor("ready")
      await test.publish(orders(1, { act: "die" }))
      assert.deepStrictEqual(await first.ended, killed, first.output())
      const [before] = first.of("handled")
      assert.isFalse(before?.redelivered)
      const next = test.service()
      const again = await next.waitFor("handled")
      assert.strictEqual(again.id, before?.id)
      assert.isTrue(again.redelivered)
      next.terminate()
      assert.deepStrictEqual(await next.ended, drained, next.output())
      await test.waitForReady(0)
    })

    it.concurrent("R2, P3, P7: between the confirm of a retry and the ack: handled twice, with one id, the second time as a later attempt", async () => {
      await using test = client.begin()
      const first = test.service({ retry: 1000, dieAtConfirm: "Subscriber" })
      await first.waitFor("ready")
      await test.publish(orders(1, { act: "fail" }))
      assert.deepStrictEqual(await first.ended, killed, first.output())
      const [before] = first.of("started")
      const next = test.service({ retry: 1000 })
      await next.waitFor("handled", 2)
      assert.deepStrictEqual(new Set(next.of("handled").map(({ id }) => id)), new Set([before?.id]))
      assert.sameMembers(
        next.of("handled").map(({ attempt }) => attempt ?? 0),
        [1, 2]
      )
      next.terminate()
      assert.deepStrictEqual(await next.ended, drained, next.output())
      await test.waitForReady(0)
    })

    it.concurrent("PUB20, P1: a publisher between the confirm and its own records: published again with the same id", async () => {
      await using test = client.begin()
      const consumer = test.service()
      await consumer.waitFor("ready")
      const once = { id: `once-${test.event}`, order: orders(1)[0]! }
      const first = test.service({ subscribers: [], once, dieAtConfirm: "Event" })
      assert.deepStrictEqual(await first.ended, killed, first.output())
      assert.isEmpty(first.of("published"), "it got the confirm")
      const second = test.service({ subscribers: [], once })
      await second.waitFor("published")
      await consumer.waitFor("handled", 2)
      assert.deepStrictEqual(
        consumer.of("handled").map(({ id }) => id),
        [once.id, once.id]
      )
    })

    it.concurrent("C10: a handler that blocks the event loop beyond the heartbeat: its event comes again, nothing is lost", async () => {
      await using test = client.begin()
      const service = test.service({ heartbeat: 1, concurrency: 4 })
      await service.waitFor("ready")
      await test.publish([...orders(1, { act: "spin", ms: 6000 }), ...orders(5, {}, 1)])
      await service.waitFor("started", 1, ({ n, redelivered }) => n === 0 && redelivered === true)
      await until(
        () => service.output(),
        () => new Set(service.of("handled").map(({ n }) => n)).size === 6
      )
      service.terminate()
      assert.deepStrictEqual(await service.ended, drained, service.output())
      // What was handled, but not acknowledged before the connection was lost, may have come again and gone back.
      for (const { n } of await test.take()) assert.isBelow(n, 6)
      assert.strictEqual(await client.bus.deadLetters.count(test.subscriber), 0)
    })

    it("C4, P3: beyond the broker's consumer timeout: the subscriber asks for more, or consumes again: nothing is lost", async () => {
      // Last on this node: the setting holds for every channel that is opened from now on.
      await node?.eval(
        "application:set_env(rabbit, consumer_timeout, 3000), application:set_env(rabbit, channel_tick_interval, 1000)."
      )
      await using test = client.begin()
      const service = test.service({ concurrency: 4 })
      await service.waitFor("ready")
      // The first event goes to a consumer of its own, the second to the one that stays.
      await test.publish(orders(1, {}, 1))
      await service.waitFor("handled")
      await test.publish([...orders(1, { act: "slow-once", ms: 6000 }), ...orders(2, {}, 2)])
      if (!(await isFrom43(node))) {
        await service.waitFor("log", 1, ({ message }) => message === "subscriber restarts")
        await service.waitFor("handled", 1, ({ n, redelivered }) => n === 0 && redelivered === true)
      } else await service.waitFor("handled", 1, ({ n }) => n === 0)
      assert.deepStrictEqual(new Set(numbersOf(service.of("handled"))), new Set([0, 1, 2, 3]))
      service.terminate()
      assert.deepStrictEqual(await service.ended, drained, service.output())
      await test.waitForReady(0)
      assert.strictEqual(await client.bus.deadLetters.count(test.subscriber), 0)
    })
  },
  ["rabbitNode"]
)
