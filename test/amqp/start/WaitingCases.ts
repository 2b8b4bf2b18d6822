/** `waitForBroker`: the service starts without RabbitMQ, each publish fails with the reason, and it heals when RabbitMQ is there. */
import { assert, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as AmqpBroker from "../../../src/amqp/AmqpBroker.ts"
import * as MemoryCache from "../../../src/memory/MemoryCache.ts"
import { keyed } from "../../../src/ports/conformance/setup/TestEvents.ts"
import { makeLedger } from "../../../src/ports/conformance/setup/HandlerLedger.ts"
import { processOver, start } from "../../../src/ports/conformance/setup/BusProcess.ts"
import { freshNamespace } from "../../support/live.ts"
import type { RabbitNode } from "../../support/RabbitNode.ts"
import { proxyTo, statusIs } from "../setup/OpenBroker.ts"

export const waitingCase = (node: () => RabbitNode): void => {
  it.live(
    "N34, P2: waitForBroker: a broker that is down does not fail the start; publishes fail in time; it heals",
    () =>
      Effect.gen(function* () {
        const proxy = yield* proxyTo(node().port)
        yield* Effect.promise(() => proxy.refuse(true))
        const layer = AmqpBroker.layer({
          servers: `amqp://guest:guest@127.0.0.1:${proxy.port}`,
          namespace: freshNamespace(),
          source: "waiting",
          waitForBroker: true
        })
        const process = yield* start(processOver(Layer.merge(layer, MemoryCache.layer)))
        const contract = keyed()
        const refused = yield* Effect.flip(process.bus.publish(contract, { n: 1, k: "k" }, { timeout: "300 millis" }))
        assert.strictEqual(
          refused.reason._tag === "Unavailable" ? refused.reason.cause._tag : refused.reason._tag,
          "Connection"
        )
        yield* Effect.promise(() => proxy.refuse(false))
        yield* statusIs(process.broker, "Up")
        const ledger = makeLedger()
        yield* process.subscribe("waiting.subscriber", { events: [contract], handler: ledger.handler })
        yield* process.bus.publish(contract, { n: 2, k: "k" })
        yield* ledger.reaches(1)
        assert.deepStrictEqual(ledger.numbers(), [2])
      })
  )
}
