/** Metrics as data, and health and metrics over HTTP for the servers of Promise users. */
import { Effect, Metric, Schema } from "effect"
import { once } from "node:events"
import { createServer, type RequestListener } from "node:http"
import type { AddressInfo } from "node:net"
import { assert, describe, it } from "vitest"
import { createEventBus, Event, OptionInvalid, type PromiseEventBus, Reject } from "../../../src/index.ts"
import { describeLive, freshNamespace, rabbitUrl } from "../../support/live.ts"
import { until } from "./PromiseTools.ts"

const Metered = Event.make("http.handler.metered", { version: 1, data: Schema.Struct({ n: Schema.Int }) })

/** Calls a test with what a server answers to a path. */
const serving = async (
  respond: RequestListener,
  test: (
    ask: (path: string, method?: string) => Promise<{ readonly status: number; readonly body: string }>
  ) => Promise<void>
) => {
  const server = createServer(respond).listen(0, "127.0.0.1")
  await once(server, "listening")
  // A server that listens on a port has such an address.
  const { port } = server.address() as AddressInfo
  try {
    await test(async (path, method = "GET") => {
      const answer = await fetch(`http://127.0.0.1:${port}${path}`, { method })
      return { status: answer.status, body: await answer.text() }
    })
  } finally {
    server.closeAllConnections()
    server.close()
  }
}

const cases = (open: () => Promise<PromiseEventBus>) => {
  it("metrics: each has a name, a type, a unit, tags and its value", async () => {
    await using bus = await open()
    const subscription = await bus.subscribe("http.handler.metrics", { events: [Metered], handler: () => {} })
    for (const n of [1, 2]) await bus.publish(Metered, { n })
    await until(async () => (await subscription.stats()).handled >= 2)
    const metrics = await bus.metrics()
    const of = (name: string) =>
      metrics.filter((metric) => metric.name === name && metric.tags["eventbus.event"] === Metered.name)
    const sent = of("messaging.client.sent.messages").find(({ tags }) => tags["error.type"] === undefined)
    assert.strictEqual(sent?.type, "counter")
    if (sent?.type === "counter") assert.isAtLeast(sent.value, 2)
    assert.isAbove(sent?.description.length ?? 0, 0)
    const [took] = of("messaging.client.operation.duration")
    assert.strictEqual(took?.unit, "s")
    if (took?.type !== "histogram") return assert.fail("durations are a histogram")
    assert.isAtLeast(took.count, 2)
    assert.isAbove(took.sum, 0)
    assert.strictEqual(took.buckets.at(-1)?.count, took.count)
    assert.doesNotThrow(() => JSON.stringify(metrics))
    assert.include(await bus.metricsText(), "# TYPE messaging_client_sent_messages_total counter")
  })

  it("health and metrics are answered to GET alone, and other paths go on to the next", async () => {
    await using bus = await open()
    await serving(bus.httpHandler({ details: true }), async (ask) => {
      const health = await ask("/health?verbose")
      assert.deepStrictEqual([health.status, JSON.parse(health.body).status], [200, "up"])
      assert.isObject(JSON.parse(health.body).checks)
      for (const path of ["/health/live", "/health/ready"]) assert.strictEqual((await ask(path)).status, 200)
      assert.include((await ask("/metrics")).body, "# TYPE")
      assert.strictEqual((await ask("/metrics", "POST")).status, 405)
      assert.strictEqual((await ask("/orders")).status, 404)
    })
    const handler = bus.httpHandler()
    await serving(
      (request, response) => handler(request, response, () => response.writeHead(201).end("an order")),
      async (ask) => {
        assert.deepStrictEqual(await ask("/orders"), { status: 201, body: "an order" })
        assert.deepStrictEqual(await ask("/health"), { status: 200, body: '{"status":"up"}' })
      }
    )
  })

  it("a service whose bus is closed is alive and not ready", async () => {
    const bus = await open()
    await serving(bus.httpHandler(), async (ask) => {
      assert.strictEqual((await ask("/health/ready")).status, 200)
      await bus.close()
      assert.deepStrictEqual(await ask("/health/ready"), { status: 503, body: '{"status":"down"}' })
      assert.strictEqual((await ask("/health")).status, 503)
      assert.strictEqual((await ask("/health/live")).status, 200)
    })
  })
}

describe("HTTP and metrics of the Promise API, embedded", () => {
  cases(() => createEventBus({ url: "memory://", source: "http" }))

  it("metrics of the service itself stand beside those of the bus, of every type", async () => {
    await using bus = await createEventBus({ url: "memory://" })
    const counter = Metric.counter("http_handler_big", { bigint: true })
    const frequency = Metric.frequency("http_handler_colours")
    const summary = Metric.summary("http_handler_sizes", { maxAge: "1 hour", maxSize: 10, quantiles: [0.5] })
    await bus.subscribe("http.handler.own", {
      events: [Metered],
      handler: () =>
        Effect.all([Metric.update(counter, 3n), Metric.update(frequency, "red"), Metric.update(summary, 7)])
    })
    await bus.publish(Metered, { n: 1 })
    const find = async (name: string) => (await bus.metrics()).find((metric) => metric.name === name)
    await until(async () => (await find("http_handler_sizes")) !== undefined)
    assert.deepInclude(await find("http_handler_big"), { type: "counter", value: 3, unit: "" })
    assert.deepInclude(await find("http_handler_colours"), { type: "frequency", values: { red: 1 } })
    assert.deepInclude(await find("http_handler_sizes"), { type: "summary", values: { "0.5": 7 } })
  })

  it("wrong options are refused at once", async () => {
    await using bus = await createEventBus({ url: "memory://" })
    // A caller without types.
    const wrong = { details: "local" } as object
    assert.throws(() => bus.httpHandler(wrong), OptionInvalid)
  })
})

describeLive("HTTP and metrics of the Promise API, on RabbitMQ", () => {
  const open = () => createEventBus({ url: rabbitUrl(), source: "http", namespace: freshNamespace() })
  cases(open)

  it("operations: nobody is let in but by authorize, which may be a Promise, and dead letters are shown", async () => {
    const bus = await open()
    await bus.subscribe("http.handler.broken", {
      events: [Metered],
      handler: () => {
        throw new Reject({ reason: "no way" })
      }
    })
    await bus.publish(Metered, { n: 1 }, { id: "one" })
    await until(async () => (await bus.deadLetters.count("http.handler.broken")) === 1)
    const names: Array<string> = []
    const handler = bus.operationsHandler({
      subscribers: ["http.handler.broken"],
      authorize: async ({ path }) => {
        names.push(path)
        if (path.endsWith("/doctor")) throw new Error("the directory is away")
        return path.endsWith("/http.handler.broken") ? { name: "on call" } : undefined
      }
    })
    await serving(handler, async (ask) => {
      const letters = await ask("/api/dead-letters/http.handler.broken")
      assert.strictEqual(letters.status, 200, letters.body)
      assert.include(letters.body, '"one"')
      assert.strictEqual((await ask("/api/dead-letters")).status, 403)
      const failed = await ask("/api/doctor")
      assert.strictEqual(failed.status, 500)
      assert.notInclude(failed.body, "directory")
      assert.lengthOf(names, 3)
      await bus.close()
      assert.strictEqual((await ask("/api/dead-letters/http.handler.broken")).status, 503)
    })
  })
})
