/** The embedded bus against the suite of all transports (P17). */
import { Layer } from "effect"
import * as MemoryBroker from "../../src/memory/MemoryBroker.ts"
import * as MemoryCache from "../../src/memory/MemoryCache.ts"
import * as MemoryServer from "../../src/memory/MemoryServer.ts"
import { brokerSuite, processOver } from "../suites/BrokerSuite.ts"

const server = MemoryServer.make()

brokerSuite("memory", {
  features: { remote: false, scale: 1 },
  connect: (options) => processOver(Layer.merge(MemoryBroker.layerOf(server, { namespace: "suite" }), MemoryCache.layer), options)
})
