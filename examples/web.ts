import { createEventBus, type HttpHandler, type PromiseEventBus } from "@eduflow/events"
import { once } from "node:events"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"

export const withExpress = (app: { use(middleware: HttpHandler): unknown }, bus: PromiseEventBus) => {
  app.use(bus.httpHandler({ details: "loopback" }))
}

export const operationsOf = (bus: PromiseEventBus, token: string) =>
  createServer(
    bus.operationsHandler({
      subscribers: ["directory.accounts"],
      authorize: async ({ headers }) =>
        headers["authorization"] === `Bearer ${token}` ? { name: "on call" } : undefined
    })
  )

export const main = async () => {
  const bus = await createEventBus({ url: "memory://", source: "accounts", logger: { level: "warn", to: "json" } })
  const server = createServer(bus.httpHandler()).listen(0, "127.0.0.1")
  try {
    await once(server, "listening")
    const { port } = server.address() as AddressInfo
    const ready = await fetch(`http://127.0.0.1:${port}/health/ready`)
    const own = (await bus.metrics()).filter(({ name }) => name.startsWith("eventbus."))
    return { ready: ready.status, metrics: own.length > 0 }
  } finally {
    server.close()
    await bus.close()
  }
}

if (import.meta.main) console.log(await main())
