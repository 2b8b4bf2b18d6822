/** Messages that are delivered, settled and given back. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, SubscriptionRef } from "effect"
import * as AmqpBroker from "../../../src/amqp/AmqpBroker.ts"
import * as MemoryCache from "../../../src/memory/MemoryCache.ts"
import { freshNamespace } from "../../support/live.ts"
import type { RabbitNode } from "../../support/RabbitNode.ts"
import { fromSeed } from "../../support/RandomSource.ts"
import { keyed } from "../../../src/ports/conformance/setup/TestEvents.ts"
import { makeLedger } from "../../../src/ports/conformance/setup/HandlerLedger.ts"
import { processOver, start } from "../../../src/ports/conformance/setup/BusProcess.ts"
import { consume, subscriber } from "../setup/Consumers.ts"
import { countOfReturnAt, open, proxyTo, rawChannel, type Service, statusIs } from "../setup/OpenBroker.ts"
import { answered, event, outgoing, post } from "../setup/Sends.ts"
import { until, untilEffect } from "../setup/Until.ts"

const fill = (broker: Service, name: string, count: number) =>
  Effect.gen(function* () {
    const posts = Array.from({ length: count }, () => post(broker, outgoing(event(name), { key: "k" })))
    yield* answered(posts)
    return posts.map(({ id }) => id)
  })
const deliveries = (ids: ReadonlyArray<string>): ReadonlyArray<string> => [...new Set(ids)].toSorted()

export const receiverCases = (node: () => RabbitNode): void => {
  describe.concurrent("Receiver", () => {
    it.live("acks in any order, over many turns: all are settled and none comes again", () =>
      Effect.gen(function* () {
        const { broker } = yield* open(node().url)
        yield* broker.declare(subscriber("a", ["x"]))
        const ids = yield* fill(broker, "x", 1500)
        const random = fromSeed(7).next
        const held: Array<() => void> = []
        const settleSome = (): void => {
          for (let n = Math.ceil(random() * 5); n > 0; n--) held.splice(Math.floor(random() * held.length), 1)[0]?.()
        }
        const first = yield* consume(broker, "a", 100, (delivery) => {
          held.push(delivery.ack)
          if (random() < 0.5) settleSome()
        })
        yield* until(
          () => `${first.deliveries.length} delivered`,
          () => {
            settleSome()
            return first.deliveries.length === ids.length && held.length === 0
          }
        )
        assert.deepStrictEqual(first.ids(), ids)
        yield* first.close
        assert.strictEqual((yield* broker.depth("a")).ready, 0)
        const second = yield* consume(broker, "a")
        const [last] = yield* fill(broker, "x", 1)
        yield* second.reaches(1)
        assert.deepStrictEqual(second.ids(), [last])
      })
    )

    it.live("C3: settling twice, or after the channel is gone, does nothing", () =>
      Effect.gen(function* () {
        const { broker } = yield* open(node().url)
        yield* broker.declare(subscriber("a", ["x"]))
        const ids = yield* fill(broker, "x", 3)
        const first = yield* consume(broker, "a")
        yield* first.reaches(3)
        first.deliveries[0]?.ack()
        first.deliveries[0]?.ack()
        yield* Effect.promise(() => new Promise(setImmediate))
        first.deliveries[0]?.ack()
        yield* first.close
        for (const delivery of first.deliveries) {
          assert.isTrue(delivery.lost())
          delivery.ack()
        }
        assert.deepStrictEqual(first.losses, [])
        const second = yield* consume(broker, "a")
        yield* second.reaches(2)
        const deliveryCount = yield* countOfReturnAt(node().url)
        assert.deepStrictEqual(second.ids(), ids.slice(1))
        assert.deepStrictEqual(
          second.deliveries.map(({ redelivered, deliveryCount }) => ({ redelivered, deliveryCount })),
          [
            { redelivered: true, deliveryCount },
            { redelivered: true, deliveryCount }
          ]
        )
      })
    )

    it.live("C2: late acks after a lost connection settle nothing on the new one", () =>
      Effect.gen(function* () {
        const proxy = yield* proxyTo(node().port)
        const { broker } = yield* open(`amqp://guest:guest@127.0.0.1:${proxy.port}`)
        yield* broker.declare(subscriber("a", ["x"]))
        const ids = yield* fill(broker, "x", 5)
        const first = yield* consume(broker, "a")
        yield* first.reaches(5)
        proxy.reset()
        yield* until(
          () => "the loss",
          () => first.losses.length > 0
        )
        assert.strictEqual(first.losses[0]?.reason._tag, "Connection")
        yield* statusIs(broker, "Up")
        const second = yield* consume(broker, "a")
        yield* second.reaches(5)
        for (const delivery of first.deliveries) delivery.ack()
        yield* second.close
        yield* first.close
        const third = yield* consume(broker, "a")
        yield* third.reaches(5)
        assert.deepStrictEqual(deliveries(third.ids()), deliveries(ids))
        assert.strictEqual(first.losses.length, 1)
      })
    )

    it.live("C5, N34: a deleted queue is reported once, and can be declared and consumed again", () =>
      Effect.gen(function* () {
        const { broker } = yield* open(node().url)
        const raw = yield* rawChannel(node().url)
        yield* broker.declare(subscriber("a", ["x"]))
        const first = yield* consume(broker, "a")
        yield* Effect.promise(() => raw.deleteQueue(`${broker.namespace}.sub.a`))
        yield* until(
          () => "the loss",
          () => first.losses.length > 0
        )
        assert.strictEqual(first.losses[0]?.reason._tag, "Refused")
        yield* first.cancel
        yield* first.close
        assert.strictEqual((yield* Effect.flip(consume(broker, "a"))).reason._tag, "TopologyMissing")
        yield* broker.declare(subscriber("a", ["x"]))
        const second = yield* consume(broker, "a")
        yield* fill(broker, "x", 1)
        yield* second.reaches(1)
        assert.strictEqual(first.losses.length, 1)
      })
    )

    it.live("P11, C5, N34: a subscriber whose queue is deleted declares it again and goes on", () =>
      Effect.gen(function* () {
        const layer = AmqpBroker.layer({ servers: node().url, namespace: freshNamespace(), source: "deleted" })
        const process = yield* start(processOver(Layer.merge(layer, MemoryCache.layer)))
        const raw = yield* rawChannel(node().url)
        const contract = keyed()
        const ledger = makeLedger()
        const subscription = yield* process.subscribe("heals.itself", { events: [contract], handler: ledger.handler })
        yield* process.bus.publish(contract, { n: 1, k: "k" })
        yield* ledger.reaches(1)
        yield* Effect.promise(() => raw.deleteQueue(`${process.broker.namespace}.sub.heals.itself`))
        yield* untilEffect(
          () => "it restarted",
          Effect.map(
            SubscriptionRef.get(subscription.status),
            (status) => status._tag === "Running" && status.restarts > 0
          )
        )
        yield* process.bus.publish(contract, { n: 2, k: "k" })
        yield* ledger.reaches(2)
        assert.deepStrictEqual(ledger.numbers(), [1, 2])
      })
    )

    it.live(
      "N7, C15, P6: only one consumer is active; the events that it holds go to the next one in order when it closes",
      () =>
        Effect.gen(function* () {
          const { broker } = yield* open(node().url)
          yield* broker.declare(subscriber("a", ["x"], "key"))
          const ids = yield* fill(broker, "x", 40)
          const first = yield* consume(broker, "a", 20)
          yield* first.reaches(20)
          const second = yield* consume(broker, "a", 50)
          for (const delivery of first.deliveries.slice(0, 5)) delivery.ack()
          yield* first.reaches(25)
          assert.deepStrictEqual(second.ids(), [])
          yield* first.close
          yield* second.reaches(35)
          assert.deepStrictEqual(second.ids(), ids.slice(5))
          assert.deepStrictEqual(
            second.deliveries.map(({ redelivered }) => redelivered),
            ids.slice(5).map((_, n) => n < 20)
          )
        })
    )

    it.live(
      "C9, N1: after cancel nothing is delivered, delivered events can still be settled, and unsettled ones go back once",
      () =>
        Effect.gen(function* () {
          const { broker } = yield* open(node().url)
          yield* broker.declare(subscriber("a", ["x"]))
          yield* fill(broker, "x", 200)
          const first = yield* consume(broker, "a", 100)
          yield* first.cancel
          const got = first.deliveries.length
          const kept = first.deliveries.slice(0, Math.floor(got / 2))
          for (const delivery of kept) delivery.ack()
          yield* first.close
          assert.strictEqual(first.deliveries.length, got)
          const left = 200 - kept.length
          yield* untilEffect(
            () => "the rest is ready",
            Effect.map(broker.depth("a"), ({ ready }) => ready === left)
          )
          const second = yield* consume(broker, "a", 250)
          yield* second.reaches(left)
          const returned = new Set(first.ids().slice(kept.length))
          const count = yield* countOfReturnAt(node().url)
          for (const { deliveryCount, properties } of second.deliveries)
            assert.strictEqual(deliveryCount, returned.has(properties.messageId ?? "?") ? count : 0)
        })
    )
  })
}
