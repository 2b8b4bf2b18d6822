/** Processes that die, hang or are late in the wrong moment: nothing is lost, what comes twice has the same id. */
import { afterAll, assert, beforeAll, it } from "vitest"
import { describeLive, freshNamespace } from "../support/live.ts"
import { type RabbitNode, startRabbit } from "../support/RabbitNode.ts"
import { type Bench, numbersOf, openBench, orders, until } from "./Bench.ts"
import type { Ending } from "./Process.ts"

const drained: Ending = { code: 0, signal: null }
const killed: Ending = { code: null, signal: "SIGKILL" }

describeLive(
  "a process that dies",
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

    it.concurrent("C1, P3: between handling and ack: handled again, with the same id", async () => {
      await using test = bench.begin()
      const first = test.service()
      await first.says("ready")
      await test.publish(orders(1, { act: "die" }))
      assert.deepStrictEqual(await first.ended, killed, first.told())
      const [before] = first.of("handled")
      assert.isFalse(before?.redelivered)
      const next = test.service()
      const again = await next.says("handled")
      assert.strictEqual(again.id, before?.id)
      assert.isTrue(again.redelivered)
      next.terminate()
      assert.deepStrictEqual(await next.ended, drained, next.told())
      await test.rests(0)
    })

    it.concurrent("R2, P3, P7: between the confirm of a retry's copy and the ack: twice, with one id and a later attempt", async () => {
      await using test = bench.begin()
      const first = test.service({ retry: 1000, dieAtConfirm: "Subscriber" })
      await first.says("ready")
      await test.publish(orders(1, { act: "fail" }))
      assert.deepStrictEqual(await first.ended, killed, first.told())
      const [before] = first.of("started")
      const next = test.service({ retry: 1000 })
      await next.says("handled", 2)
      assert.deepStrictEqual(new Set(next.of("handled").map(({ id }) => id)), new Set([before?.id]))
      assert.sameMembers(
        next.of("handled").map(({ attempt }) => attempt ?? 0),
        [1, 2]
      )
      next.terminate()
      assert.deepStrictEqual(await next.ended, drained, next.told())
      await test.rests(0)
    })

    it.concurrent("PUB20, P1: a publisher between the confirm and its own books: published again with the same id", async () => {
      await using test = bench.begin()
      const consumer = test.service()
      await consumer.says("ready")
      const once = { id: `once-${test.event}`, order: orders(1)[0]! }
      const first = test.service({ subscribers: [], once, dieAtConfirm: "Event" })
      assert.deepStrictEqual(await first.ended, killed, first.told())
      assert.isEmpty(first.of("published"), "it heard of the confirm")
      const second = test.service({ subscribers: [], once })
      await second.says("published")
      await consumer.says("handled", 2)
      assert.deepStrictEqual(
        consumer.of("handled").map(({ id }) => id),
        [once.id, once.id]
      )
    })

    it.concurrent("C10: a handler that holds the event loop beyond the heartbeat: its event comes again, nothing is lost", async () => {
      await using test = bench.begin()
      const service = test.service({ heartbeat: 1, concurrency: 4 })
      await service.says("ready")
      await test.publish([...orders(1, { act: "spin", ms: 6000 }), ...orders(5, {}, 1)])
      await service.says("started", 1, ({ n, redelivered }) => n === 0 && redelivered === true)
      await until(
        () => service.told(),
        () => new Set(service.of("handled").map(({ n }) => n)).size === 6
      )
      service.terminate()
      assert.deepStrictEqual(await service.ended, drained, service.told())
      await test.rests(0)
      assert.strictEqual(await bench.bus.deadLetters.count(test.subscriber), 0)
    })

    it("C4, P3: beyond the broker's consumer timeout: the channel is closed, the subscriber consumes again, nothing is lost", async () => {
      // Of this node alone, and after the others: it holds for every channel that is opened from now on.
      await node?.ctl(
        "eval",
        "application:set_env(rabbit, consumer_timeout, 3000), application:set_env(rabbit, channel_tick_interval, 1000)."
      )
      await using test = bench.begin()
      const service = test.service({ concurrency: 4 })
      await service.says("ready")
      // The first delivery comes by a consumer of its own, the second by the one that stays.
      await test.publish(orders(1, {}, 1))
      await service.says("handled")
      await test.publish([...orders(1, { act: "slow-once", ms: 6000 }), ...orders(2, {}, 2)])
      await service.says("log", 1, ({ message }) => message === "subscriber restarts")
      await service.says("handled", 1, ({ n, redelivered }) => n === 0 && redelivered === true)
      assert.deepStrictEqual([...new Set(numbersOf(service.of("handled")))], [0, 1, 2, 3])
      service.terminate()
      assert.deepStrictEqual(await service.ended, drained, service.told())
      await test.rests(0)
      assert.strictEqual(await bench.bus.deadLetters.count(test.subscriber), 0)
    })
  },
  ["rabbitNode"]
)
