/** The rights of a service are enough to ask and to answer, and show it no answers of others. */
import { connect } from "amqplib"
import { assert, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { expect } from "vitest"
import * as Rights from "../../../src/amqp/topology/Rights.ts"
import { EventBus, Subscriber } from "../../../src/index.ts"
import { addLeast } from "../../support/LeastRights.ts"
import { describeLive, freshNamespace } from "../../support/live.ts"
import { startRabbit } from "../../support/RabbitNode.ts"
import { Ping } from "./contracts.ts"

describeLive(
  "a service with the rights that name what it binds",
  () => {
    it.live("P14: asks and answers, and cannot bind to the answers of others", () =>
      Effect.gen(function* () {
        const rabbit = yield* Effect.acquireRelease(
          Effect.promise(() => startRabbit()),
          (node) => Effect.promise(() => node.stop())
        )
        const namespace = freshNamespace()
        const names = [Rights.literal(Ping.name)]
        const service = { subscribers: ["replier"], publishes: names, binds: names }
        // What all services share is declared by somebody who may.
        yield* Effect.scoped(
          Layer.build(
            Layer.provide(
              Subscriber.reply("replier", { to: Ping, handler: ({ data }) => Effect.succeed(data.n) }),
              EventBus.layerAmqp({ url: rabbit.url, namespace })
            )
          )
        )
        const url = yield* Effect.promise(() => addLeast(rabbit, namespace, service))
        const Replier = Subscriber.reply("replier", { to: Ping, handler: ({ data }) => Effect.succeed(data.n) })
        yield* Effect.gen(function* () {
          assert.strictEqual(yield* (yield* EventBus).request(Ping, { n: 4 }, { deadline: "1 minute" }), 4)
        }).pipe(Effect.provide(Layer.provideMerge(Replier, EventBus.layerAmqp({ url, namespace }))))
        yield* Effect.promise(async () => {
          for (const pattern of ["bus.reply.*", "bus.reply.#", "bus.#", "#", "*.reply.*"]) {
            const spy = await connect(url)
            const channel = await spy.createChannel()
            channel.on("error", () => {})
            const { queue } = await channel.assertQueue(`${namespace}.tmp.spy`, { exclusive: true, durable: false })
            await expect(channel.bindQueue(queue, `${namespace}.events`, pattern), pattern).rejects.toThrow(
              /ACCESS_REFUSED/
            )
            await spy.close()
          }
        })
      })
    )
  },
  ["rabbitNode"]
)
