/** Messages of other programs: what they may write in headers, properties and bodies. */
import { assert, describe, it } from "@effect/vitest"
import type { ConsumeMessage } from "amqplib"
import { Effect, Layer } from "effect"
import * as AmqpBroker from "../../../src/amqp/AmqpBroker.ts"
import { bytesOf } from "../../../src/event/Body.ts"
import * as MemoryCache from "../../../src/memory/MemoryCache.ts"
import { freshNamespace } from "../../support/live.ts"
import type { RabbitNode } from "../../support/RabbitNode.ts"
import { keyed } from "../../../src/ports/conformance/setup/TestEvents.ts"
import { processOver, start } from "../../../src/ports/conformance/setup/BusProcess.ts"
import { consume, subscriber } from "../setup/Consumers.ts"
import { open, rawChannel } from "../setup/OpenBroker.ts"
import { untilEffect } from "../setup/Until.ts"

export const foreignCases = (node: () => RabbitNode): void => {
  describe.concurrent("Messages of other programs", () => {
    it.live("P15: messages of other programs: no headers, odd headers, forged counts, no properties, no body", () =>
      Effect.gen(function* () {
        const { broker } = yield* open(node().url)
        const raw = yield* rawChannel(node().url)
        yield* broker.declare(subscriber("a", ["x"]))
        const exchange = `${broker.namespace}.events`
        const hostile = JSON.parse(
          '{"__proto__":{"polluted":true},"constructor":"c","hasOwnProperty":1,"n":{"deep":[1,{"a":null}]}}'
        )
        raw.publish(exchange, "x", Buffer.alloc(0))
        raw.publish(exchange, "x", Buffer.from("1"), {
          headers: hostile,
          timestamp: 1_700_000_000,
          priority: 9,
          expiration: "100000",
          replyTo: "r",
          CC: ["other"]
        })
        raw.publish(exchange, "x", Buffer.from("2"), {
          headers: { "x-delivery-count": 99, "bus-attempt": 7, "x-death": [{ count: 3 }] },
          messageId: "id",
          type: "t",
          appId: "app"
        })
        const consumer = yield* consume(broker, "a")
        yield* consumer.reaches(3)
        // RabbitMQ 4.3 delivers by priority.
        const [empty, odd, forged] = ["", "1", "2"].map((body) =>
          consumer.deliveries.find((delivery) => bytesOf(delivery.body).toString() === body)
        )
        assert.deepStrictEqual(Object.keys(empty?.headers ?? { none: 1 }), [])
        assert.deepStrictEqual(empty?.properties, {
          messageId: undefined,
          type: undefined,
          timestamp: undefined,
          appId: undefined,
          correlationId: undefined,
          contentType: undefined,
          contentEncoding: undefined
        })
        assert.strictEqual(empty?.body.length, 0)
        assert.notProperty({}, "polluted")
        assert.isNull(Object.getPrototypeOf(odd?.headers))
        assert.isFalse(Object.keys(odd?.headers ?? {}).includes("__proto__"))
        assert.strictEqual(odd?.properties.timestamp, 1_700_000_000_000)
        assert.strictEqual(forged?.deliveryCount, 0)
        for (const delivery of consumer.deliveries)
          assert.deepInclude({ ...delivery }, { trusted: false, redelivered: false, routingKey: "x" })
      })
    )

    it.live("P15: a forged delivery count is not believed on a message that came back without a failure", () =>
      Effect.gen(function* () {
        const { broker } = yield* open(node().url)
        const raw = yield* rawChannel(node().url)
        yield* broker.declare(subscriber("a", ["x"]))
        raw.publish(`${broker.namespace}.events`, "x", Buffer.from("1"), { headers: { "x-delivery-count": 19 } })
        yield* Effect.promise(async () => {
          const taken = Promise.withResolvers<ConsumeMessage | null>()
          const { consumerTag } = await raw.consume(`${broker.namespace}.sub.a`, taken.resolve)
          const message = (await taken.promise) ?? assert.fail("the broker cancelled the consumer")
          // From RabbitMQ 4.3 on this is no failure, and the header stays as its publisher wrote it.
          await raw.cancel(consumerTag)
          raw.nack(message)
        })
        const consumer = yield* consume(broker, "a")
        yield* consumer.reaches(1)
        assert.deepInclude({ ...consumer.deliveries[0] }, { redelivered: true, deliveryCount: 1 })
      })
    )

    it.live("P9, P15: properties that no copy could carry block nothing: their events are dead-lettered", () =>
      Effect.gen(function* () {
        const namespace = freshNamespace()
        const layer = AmqpBroker.layer({ servers: node().url, namespace, source: "foreign" })
        const { bus } = yield* start(processOver(Layer.merge(layer, MemoryCache.layer)))
        const contract = keyed()
        const stats = (yield* bus.subscribe("a", { events: [contract], handler: () => Effect.void })).stats
        const raw = yield* rawChannel(node().url)
        // Microseconds and nanoseconds instead of seconds.
        for (const [timestamp, body] of [
          [1.7e15, '{"n":"?"}'],
          [1.7e18, "no JSON"]
        ] as const)
          raw.publish(`${namespace}.events`, contract.name, Buffer.from(body), { type: contract.name, timestamp })
        yield* untilEffect(
          () => "two dead letters",
          Effect.map(stats, ({ deadLettered }) => deadLettered === 2)
        )
      })
    )
  })
}
