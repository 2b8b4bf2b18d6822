/** The embedded bus against the conformance suite of all brokers: it passes the same cases as RabbitMQ (P17). */
import { Effect, Exit, Layer, Scope } from "effect"
import { afterAll } from "vitest"
import * as MemoryBroker from "../../src/memory/MemoryBroker.ts"
import * as MemoryCache from "../../src/memory/MemoryCache.ts"
import * as MemoryClaims from "../../src/memory/MemoryClaims.ts"
import { MemoryServer } from "../../src/memory/MemoryServer.ts"
import { sendRaw } from "../../src/ports/conformance/setup/RawMessage.ts"
import { brokerCases, busProcess } from "../../src/ports/index.ts"
import { conforms } from "../support/conformance.ts"

const scope = Scope.makeUnsafe()
afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

const portsOf = (server: MemoryServer["Service"]) =>
  Layer.merge(MemoryBroker.layerOf(server, { namespace: "suite" }), MemoryCache.layer)
const ports = portsOf(Effect.runSync(MemoryServer.make.pipe(Scope.provide(scope))))

const cases = brokerCases({
  ports,
  network: Effect.map(MemoryServer.make, (server) => ({
    ports: portsOf(server),
    stall: Effect.sync(() => server.block("stalled by the test")),
    resume: Effect.sync(server.unblock),
    cut: Effect.sync(() => server.disconnect("stored")),
    mend: Effect.sync(server.reconnect)
  })),
  claims: MemoryClaims.layer,
  publishForeign: ({ body, headers, messageId, name }, broker) =>
    Effect.map(sendRaw(broker, name, body, headers, { messageId }), (outcome) => {
      if (outcome._tag !== "Confirmed") throw new Error(`it is ${outcome._tag}`)
    }),
  remote: false
})

conforms("P17: memory", busProcess(ports), cases, { concurrent: true })
