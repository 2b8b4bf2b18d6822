/** RabbitMQ against the conformance suite of all brokers (P17): the shared node, and a proxy where a case breaks the network. */
import { connect } from "amqplib"
import { Effect, Layer } from "effect"
import * as AmqpBroker from "../../src/amqp/AmqpBroker.ts"
import * as Topology from "../../src/amqp/topology/Topology.ts"
import * as MemoryCache from "../../src/memory/MemoryCache.ts"
import * as MemoryClaims from "../../src/memory/MemoryClaims.ts"
import { brokerCases, busProcess } from "../../src/ports/index.ts"
import { conforms } from "../support/conformance.ts"
import { describeLive, freshNamespace, rabbitUrl } from "../support/live.ts"
import { startProxy } from "../support/Proxy.ts"

describeLive(
  "on RabbitMQ",
  () => {
    const namespace = freshNamespace()
    const portsOf = (url: string) =>
      Layer.merge(
        // A busy machine answers late: no case is about that.
        AmqpBroker.layer({ servers: url, namespace, source: "suite", callTimeout: "1 minute" }),
        MemoryCache.layer
      )
    const ports = portsOf(rabbitUrl())

    const cases = brokerCases({
      ports,
      network: Effect.gen(function* () {
        const url = new URL(rabbitUrl())
        const proxy = yield* Effect.acquireRelease(
          Effect.promise(() => startProxy(Number(url.port))),
          (proxy) => Effect.promise(() => proxy.close())
        )
        url.port = String(proxy.port)
        return {
          ports: portsOf(url.href),
          stall: Effect.sync(() => proxy.stall("down")),
          resume: Effect.sync(proxy.resume),
          cut: Effect.promise(async () => {
            await proxy.refuse(true)
            proxy.reset()
          }),
          mend: Effect.promise(() => proxy.refuse(false))
        }
      }),
      claims: MemoryClaims.layer,
      publishForeign: ({ body, headers, messageId, name }) =>
        Effect.promise(async () => {
          const connection = await connect(rabbitUrl())
          const channel = await connection.createConfirmChannel()
          const properties = { headers, messageId, type: name, appId: "foreign", contentType: "application/json" }
          channel.publish(Topology.events(namespace), name, Buffer.from(body), properties)
          await channel.waitForConfirms()
          await connection.close()
        }),
      remote: true,
      scale: 0.2
    })

    conforms("P17: amqp", busProcess(ports), cases, { concurrent: true })
  },
  ["rabbit"]
)
