/** Messages for other systems: in their form, into what they declared, confirmed. */
import { assert, it } from "@effect/vitest"
import type { ConsumeMessage } from "amqplib"
import { Effect } from "effect"
import * as Foreign from "../../../src/bus/Foreign.ts"
import { EventBus } from "../../../src/bus/EventBus.ts"
import { BusInternals } from "../../../src/bus/BusInternals.ts"
import { upTo } from "../../../src/ports/conformance/setup/TestEvents.ts"
import { until } from "../../../src/ports/conformance/setup/Waiting.ts"
import { describeLive } from "../../support/live.ts"
import { order, service, theirExchange, theirQueue } from "./OtherSystem.ts"

describeLive(
  "publishing to another system",
  () => {
    it.live("P1: a queue and an exchange get it as the codec writes it, in the order of its key", () =>
      Effect.gen(function* () {
        const ours = yield* service()
        const [queue, exchange] = [yield* theirQueue(), yield* theirExchange("topic")]
        yield* Effect.promise(() => exchange.channel.bindQueue(queue.name, exchange.name, "order.*"))
        const seen: Array<ConsumeMessage> = []
        yield* Effect.promise(() =>
          queue.channel.consume(queue.name, (message) => void (message && seen.push(message)), { noAck: true })
        )
        const Ordered = order()
        const publish = (...args: Parameters<typeof Foreign.publish<{ readonly n: number }>>) =>
          Foreign.publish(...args).pipe(
            Effect.provideService(EventBus, ours.bus),
            Effect.provideService(BusInternals, ours.internals)
          )
        const nest = { type: "ORDER_CREATED", codec: Foreign.nest(), headers: { tenant: "a" } }
        const confirmed = yield* publish({ queue: queue.name }, Ordered, { n: 1 }, nest)
        assert.isTrue(confirmed.routed)
        yield* Effect.forEach(
          upTo(50),
          (n) =>
            publish(
              { exchange: exchange.name, routingKey: "order.paid" },
              Ordered,
              { n },
              { codec: Foreign.cloudEvents() }
            ),
          { concurrency: 50 }
        )
        yield* until(
          () => `${seen.length} of 51`,
          () => seen.length === 51
        )
        const [first, second] = seen
        assert.deepStrictEqual(JSON.parse(String(first?.content)), { pattern: "ORDER_CREATED", data: { n: 1 } })
        assert.deepInclude(first?.properties, { messageId: confirmed.id, type: "ORDER_CREATED", appId: "suite" })
        assert.strictEqual(first?.properties.headers?.["tenant"], "a")
        assert.deepInclude(second?.properties.headers, {
          "cloudEvents:specversion": "1.0",
          "cloudEvents:type": Ordered.name,
          "cloudEvents:subject": "nobody"
        })
        assert.deepStrictEqual(
          seen.slice(1).map(({ content }) => JSON.parse(String(content)).n),
          [...upTo(50)]
        )
      })
    )

    it.live("what reaches no queue, or is refused by the contract, is a failure with its reason", () =>
      Effect.gen(function* () {
        const ours = yield* service()
        const exchange = yield* theirExchange("direct")
        const Ordered = order()
        const reason = (to: Foreign.Target, data: unknown, options: Foreign.PublishOptions = {}) =>
          // Data of a caller without types.
          Foreign.publish(to, Ordered, data as never, options).pipe(
            Effect.provideService(EventBus, ours.bus),
            Effect.provideService(BusInternals, ours.internals),
            Effect.match({
              onFailure: ({ reason }) => `${reason._tag}: ${reason.message}`,
              onSuccess: ({ routed }) => `routed: ${routed}`
            })
          )
        const nowhere = { exchange: exchange.name, routingKey: "nobody" }
        assert.include(yield* reason(nowhere, { n: 1 }), "Unroutable")
        assert.strictEqual(yield* reason(nowhere, { n: 1 }, { mandatory: false }), "routed: false")
        assert.include(yield* reason({ queue: "theirs.nowhere" }, { n: 1 }), "Unroutable")
        assert.include(yield* reason(nowhere, { n: "one" }), "data.n")
        assert.include(yield* reason({ queue: "" }, { n: 1 }), "{ queue }")
        const missing = { exchange: "theirs.nowhere", routingKey: "a" }
        const [outcome, own] = yield* Effect.all(
          [
            reason(missing, { n: 1 }, { timeout: "3 seconds" }),
            Effect.forEach(upTo(200), (n) => ours.bus.publish(Ordered, { n }), { concurrency: 20 })
          ],
          { concurrency: 2 }
        )
        assert.include(outcome, "Unavailable: exchange theirs.nowhere does not exist")
        assert.strictEqual(own.length, 200)
      })
    )
  },
  ["rabbit"]
)
