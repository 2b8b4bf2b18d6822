/** RabbitMQ's consumer timeout: a consumer asks for more where it can (4.3 and later), else it says what happened. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Latch, Layer } from "effect"
import * as AmqpBroker from "../../../src/amqp/AmqpBroker.ts"
import * as MemoryCache from "../../../src/memory/MemoryCache.ts"
import { keyed } from "../../../src/ports/conformance/setup/TestEvents.ts"
import { makeLedger } from "../../../src/ports/conformance/setup/HandlerLedger.ts"
import { processOver, start } from "../../../src/ports/conformance/setup/BusProcess.ts"
import { freshNamespace } from "../../support/live.ts"
import type { RabbitNode } from "../../support/RabbitNode.ts"
import { consume, subscriber } from "../setup/Consumers.ts"
import { isFrom43 } from "../setup/NodeSettings.ts"
import { open, rawChannel } from "../setup/OpenBroker.ts"
import { deadLetterOf, event, outgoing, send } from "../setup/Sends.ts"
import { until, untilEffect } from "../setup/Until.ts"

export const timeoutCases = (node: () => RabbitNode): void => {
  describe("Consumer timeout, one after the other", () => {
    /** Until the test ends, a delivery may be held for this long, unless its consumer asks for more. */
    const consumerTimeout = Effect.fnUntraced(function* (millis: number) {
      const set = (name: string, value: number) =>
        Effect.promise(() => node().eval(`application:set_env(rabbit, ${name}, ${value}).`))
      yield* Effect.acquireRelease(
        Effect.andThen(set("consumer_timeout", millis), set("channel_tick_interval", 200)),
        () => Effect.andThen(set("consumer_timeout", 1_800_000), set("channel_tick_interval", 60_000))
      )
      return { canBeAsked: yield* Effect.promise(() => isFrom43(node())) }
    })
    /** Another program's consumer takes a message now. Completes when RabbitMQ has taken it back. */
    const tookBack = Effect.fnUntraced(function* () {
      const channel = yield* rawChannel(node().url)
      const queue = freshNamespace()
      yield* Effect.promise(async () => {
        await channel.assertQueue(queue, { durable: true, arguments: { "x-queue-type": "quorum" } })
        channel.sendToQueue(queue, Buffer.from("x"), { persistent: true })
        const back = new Promise<void>((resolve) => {
          channel.once("close", resolve)
          void channel.consume(queue, (message) => (message === null ? resolve() : undefined))
        })
        await back
      })
    })

    it.live(
      "C4, P3: a consumer that is held beyond RabbitMQ's consumer timeout asks for more, or says what happened",
      () =>
        Effect.gen(function* () {
          const { canBeAsked } = yield* consumerTimeout(500)
          const { broker } = yield* open(node().url)
          for (const ordering of ["none", "key"] as const) {
            yield* broker.declare(subscriber(ordering, [ordering], ordering))
            const consumer = yield* consume(broker, ordering)
            yield* send(broker, outgoing(event(ordering)))
            yield* consumer.reaches(1)
            yield* tookBack()
            const [delivery] = consumer.deliveries
            if (canBeAsked) {
              assert.deepStrictEqual(consumer.losses, [])
              assert.strictEqual(delivery?.lost(), false)
              delivery?.ack()
              yield* untilEffect(
                () => "an empty queue",
                Effect.map(broker.depth(ordering), ({ ready }) => ready === 0)
              )
              yield* consumer.close
              assert.strictEqual((yield* broker.depth(ordering)).ready, 0)
            } else {
              yield* until(
                () => "the loss",
                () => consumer.losses.length > 0
              )
              const reason = consumer.losses[0]?.reason
              assert.deepInclude(reason, {
                _tag: "ConsumerTimeout",
                queue: `${broker.namespace}.sub.${ordering}`,
                millis: 500
              })
              assert.strictEqual(delivery?.lost(), true)
            }
          }
        })
    )

    it.live("P8: a reader of dead letters may hold them for longer where it can ask for it", () =>
      Effect.gen(function* () {
        const { canBeAsked } = yield* consumerTimeout(500)
        const { broker } = yield* open(node().url)
        yield* broker.declare(subscriber("a", ["x"]))
        yield* send(broker, outgoing(deadLetterOf("a")))
        const reader = yield* broker.readDeadLetters({ _tag: "Subscriber", name: "a" })
        const letter = yield* reader.next
        yield* tookBack()
        if (!canBeAsked)
          yield* until(
            () => "the loss",
            () => letter?.lost() === true
          )
        assert.strictEqual(letter?.lost(), !canBeAsked)
      })
    )

    it.live("C4: a queue that others declared, and that takes no consumer timeout, is consumed all the same", () =>
      Effect.gen(function* () {
        const { broker } = yield* open(node().url)
        const channel = yield* rawChannel(node().url)
        const queue = `${broker.namespace}.sub.classic`
        yield* Effect.promise(() => channel.assertQueue(queue, { durable: true }))
        const consumer = yield* consume(broker, "classic", 10, ({ ack }) => ack())
        channel.sendToQueue(queue, Buffer.from("x"))
        yield* consumer.reaches(1)
        assert.deepStrictEqual(consumer.losses, [])
      })
    )

    it.live("C4, P3: RabbitMQ takes back what a handler holds for too long, or lets it: the event is handled", () =>
      Effect.gen(function* () {
        const { canBeAsked } = yield* consumerTimeout(500)
        const layer = AmqpBroker.layer({ servers: node().url, namespace: freshNamespace(), source: "patience" })
        const { bus, subscribe } = yield* start(processOver(Layer.merge(layer, MemoryCache.layer)))
        const contract = keyed()
        const ledger = makeLedger()
        const patience = yield* Latch.make(false)
        let interrupted = 0
        yield* subscribe("slow.subscriber", {
          events: [contract],
          handler: (event, info) =>
            Effect.flatMap(ledger.handler(event, info), () =>
              ledger.entries.length === 1
                ? Effect.onInterrupt(patience.await, () => Effect.sync(() => void interrupted++))
                : Effect.void
            )
        })
        yield* bus.publish(contract, { n: 1, k: "k" })
        yield* ledger.reaches(1)
        yield* tookBack()
        if (canBeAsked) yield* patience.open
        else yield* ledger.reaches(2)
        yield* bus.publish(contract, { n: 2, k: "k" })
        yield* until(
          () => "the second event",
          () => ledger.numbers().includes(2)
        )
        assert.deepStrictEqual(ledger.numbers(), canBeAsked ? [1, 2] : [1, 1, 2])
        assert.deepStrictEqual(new Set(ledger.attempts()), new Set([1]))
        assert.strictEqual(interrupted, canBeAsked ? 0 : 1)
      })
    )
  })
}
