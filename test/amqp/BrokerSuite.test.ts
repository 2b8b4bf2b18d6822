/** RabbitMQ against the suite of all transports (P17): the shared node, and a proxy where a test breaks its way. */
import { connect } from "amqplib"
import { Effect, Layer } from "effect"
import * as AmqpBroker from "../../src/amqp/AmqpBroker.ts"
import * as Topology from "../../src/amqp/Topology.ts"
import * as MemoryCache from "../../src/memory/MemoryCache.ts"
import { brokerSuite, type Connect, processOver } from "../suites/BrokerSuite.ts"
import { describeLive, freshNamespace, rabbitUrl } from "../support/live.ts"
import { startProxy } from "../support/Proxy.ts"

describeLive(
  "on RabbitMQ",
  () => {
    const namespace = freshNamespace()
    const clientsOf =
      (url: string): Connect =>
      (options) =>
        processOver(
          Layer.merge(AmqpBroker.layer({ servers: url, namespace, source: "suite" }), MemoryCache.layer),
          options
        )

    brokerSuite("P17: amqp", {
      features: { remote: true, scale: 0.2 },
      connect: clientsOf(rabbitUrl()),
      foreign: (_broker, event, body, headers, messageId) =>
        Effect.promise(async () => {
          const connection = await connect(rabbitUrl())
          const channel = await connection.createConfirmChannel()
          const properties = { headers, messageId, type: event, appId: "foreign", contentType: "application/json" }
          channel.publish(Topology.events(namespace), event, Buffer.from(body), properties)
          await channel.waitForConfirms()
          await connection.close()
        }),
      wire: Effect.gen(function* () {
        const url = new URL(rabbitUrl())
        const proxy = yield* Effect.acquireRelease(
          Effect.promise(() => startProxy(Number(url.port))),
          (proxy) => Effect.promise(() => proxy.close())
        )
        url.port = String(proxy.port)
        return {
          connect: clientsOf(url.href),
          stall: Effect.sync(() => proxy.stall("down")),
          resume: Effect.sync(proxy.resume),
          cut: Effect.promise(async () => {
            await proxy.refuse(true)
            proxy.reset()
          }),
          mend: Effect.promise(() => proxy.refuse(false))
        }
      })
    })
  },
  ["rabbit"]
)
