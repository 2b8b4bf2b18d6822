/** The embedded bus against the suite of all transports (P17). */
import { afterAll } from "vitest"
import { Effect, Exit, Layer, Scope } from "effect"
import * as MemoryBroker from "../../src/memory/MemoryBroker.ts"
import * as MemoryCache from "../../src/memory/MemoryCache.ts"
import { MemoryServer } from "../../src/memory/MemoryServer.ts"
import { brokerSuite, type Connect, processOver } from "../suites/BrokerSuite.ts"
import { sendRaw } from "../suites/Workbench.ts"

const scope = Scope.makeUnsafe()
afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

const clientsOf =
  (server: MemoryServer["Service"]): Connect =>
  (options) =>
    processOver(Layer.merge(MemoryBroker.layerOf(server, { namespace: "suite" }), MemoryCache.layer), options)

brokerSuite("P17: memory", {
  features: { remote: false, scale: 1 },
  foreign: (broker, event, body, headers, messageId) =>
    Effect.map(sendRaw(broker, event, body, headers, { messageId }), (outcome) => {
      if (outcome._tag !== "Confirmed") throw new Error(`it is ${outcome._tag}`)
    }),
  connect: clientsOf(Effect.runSync(MemoryServer.make.pipe(Scope.provide(scope)))),
  wire: Effect.map(MemoryServer.make, (server) => ({
    connect: clientsOf(server),
    stall: Effect.sync(() => server.block("stalled by the test")),
    resume: Effect.sync(server.unblock),
    cut: Effect.sync(() => server.disconnect("stored")),
    mend: Effect.sync(server.reconnect)
  }))
})
