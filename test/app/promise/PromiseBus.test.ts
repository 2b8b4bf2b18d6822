/** The bus as Promises, on the embedded broker and on RabbitMQ and Redis. */
import { assert, describe, it } from "@effect/vitest"
import { connect } from "amqplib"
import { afterEach } from "vitest"
import { BrokerError, createEventBus, type EventBus, SubscribeError } from "../../../src/index.ts"
import { describeLive, freshNamespace, rabbitUrl, redisUrl } from "../../support/live.ts"
import { publishAndReadCases } from "./PublishAndReadCases.ts"
import { contextCases } from "./ContextCases.ts"
import { flowCases } from "./FlowCases.ts"
import { Counted } from "./PromiseTools.ts"
import { foreignCases } from "./ForeignCases.ts"
import { requestCases } from "./RequestCases.ts"
import { subscribeCases } from "./SubscribeCases.ts"

describe("Promises, embedded", () => {
  const options = () => ({ url: "memory://", source: "promise" })
  publishAndReadCases(options)
  subscribeCases(options)
  contextCases(options)
  requestCases(options)
  flowCases(options)
  foreignCases(options, async () => {})

  it("rejects with a BrokerError when an option cannot work", async () => {
    assert.instanceOf(await createEventBus({ url: "http://localhost" }).catch((error: unknown) => error), BrokerError)
  })
})

describe("createEventBus without options", () => {
  const names = ["EVENTBUS_URL", "EVENTBUS_SOURCE"] as const
  const before = names.map((name) => [name, process.env[name]] as const)
  afterEach(() => {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
  })

  it("reads the environment of this moment", async () => {
    process.env["EVENTBUS_URL"] = "memory://"
    process.env["EVENTBUS_SOURCE"] = "surroundings"
    await using bus = await createEventBus()
    assert.strictEqual((await bus.tree()).source, "surroundings")
  })

  it("says the two forms of an address where none is set", async () => {
    for (const url of [undefined, "", " "]) {
      if (url === undefined) delete process.env["EVENTBUS_URL"]
      else process.env["EVENTBUS_URL"] = url
      const error = await createEventBus().catch((error: unknown) => error)
      assert.instanceOf(error, BrokerError)
      for (const word of ["EVENTBUS_URL", "memory://", "amqp://user:password@host/vhost"])
        assert.include(error.message, word)
    }
    // A caller without types.
    const options: object = { source: "promise" }
    const error = await createEventBus(options as EventBus.LiveOptions).catch((error: unknown) => error)
    assert.instanceOf(error, BrokerError)
    assert.include(error.message, "memory://")
  })
})

describeLive("Promises, on RabbitMQ and Redis", () => {
  const options = () => ({
    url: rabbitUrl(),
    redisUrl: redisUrl(),
    redisTimeout: "10 seconds" as const,
    namespace: freshNamespace(),
    source: "promise",
    allowPlaintext: true
  })
  publishAndReadCases(options)
  subscribeCases(options)
  contextCases(options)
  requestCases(options)
  flowCases(options)
  foreignCases(options, async (queue) => {
    const connection = await connect(rabbitUrl())
    await (await connection.createChannel()).assertQueue(queue, { durable: true, expires: 600_000 })
    await connection.close()
  })

  it("two buses of one process share their names where they share their queues", async () => {
    const same = options()
    await using bus = await createEventBus(same)
    await using twin = await createEventBus(same)
    await using older = await createEventBus({ ...same, source: "older" })
    await using elsewhere = await createEventBus(options())
    const handler = () => {}
    const other = { events: [Counted], handler: () => {} }
    await bus.subscribe("promise.named", { events: [Counted], handler })
    await elsewhere.subscribe("promise.named", other)
    await older.subscribe("promise.named", other)
    await older.close()
    const refused = await twin.subscribe("promise.named", other).catch((error: unknown) => error)
    assert.instanceOf(refused, SubscribeError)
    assert.include(refused.message, "another handler")
    const inBatches = { events: [Counted], batch: { size: 2, maxWait: "1 second" }, handler } as const
    assert.instanceOf(await twin.subscribe("promise.named", inBatches).catch((error: unknown) => error), SubscribeError)
    await twin.subscribe("promise.named", { events: [Counted], handler })
    // A name is free again when the bus that held it is closed.
    await bus.close()
    await twin.close()
    await using successor = await createEventBus(same)
    await successor.subscribe("promise.named", other)
  })
})
