/**
 * A test's own client of the broker: it publishes orders, starts services that end with their test, and looks
 * into queues.
 */
import { type Channel, type ChannelModel, connect } from "amqplib"
import { setTimeout as delay } from "node:timers/promises"
import { createEventBus, type PromiseEventBus } from "../../src/index.ts"
import { type Proxy, startProxy } from "../support/Proxy.ts"
import { countOfReturn } from "../support/Returns.ts"
import { type Order, orderOf, type ServiceOptions } from "./Orders.ts"
import { type Service, startService } from "./ServiceProcess.ts"

export interface Held {
  readonly n: number
  readonly id: string
  readonly count: number
  readonly attempt: number
}

/** One test: an event and a subscriber of its own. */
export interface TestCase extends AsyncDisposable {
  readonly event: string
  readonly subscriber: string
  /** Starts a service of this test. */
  readonly service: (options?: Partial<ServiceOptions>) => Service
  readonly publish: (orders: ReadonlyArray<Order>) => Promise<void>
  readonly queue: () => Promise<{ readonly ready: number; readonly consumers: number }>
  /** A proxy between its services and the broker; closed with the test. */
  readonly network: () => Promise<{ readonly proxy: Proxy; readonly url: string }>
  /** Waits until nothing consumes and this many events are ready. */
  readonly waitForReady: (ready: number) => Promise<void>
  /** Takes all that is in the queue. */
  readonly take: () => Promise<ReadonlyArray<Held>>
  readonly client: TestClient
}

export interface TestClient extends AsyncDisposable {
  readonly url: string
  readonly namespace: string
  readonly bus: PromiseEventBus
  readonly connection: ChannelModel
  readonly channel: Channel
  /** How much a delivery that is given back in order counts. */
  readonly countOfReturn: 0 | 1
  readonly begin: () => TestCase
}

let named = 0

export const openTestClient = async (url: string, namespace: string): Promise<TestClient> => {
  const bus = await createEventBus({ url, namespace, source: "client" })
  const connection = await connect(url)
  connection.on("error", () => {})
  const channel = await connection.createChannel()
  channel.on("error", () => {})
  const client: TestClient = {
    url,
    namespace,
    bus,
    connection,
    channel,
    countOfReturn: countOfReturn(connection),
    begin: () => beginCase(client),
    [Symbol.asyncDispose]: async () => {
      await bus.close()
      await connection.close().catch(() => {})
    }
  }
  return client
}

const beginCase = (client: TestClient): TestCase => {
  const event = `process-${process.pid}-${++named}.ordered`
  const subscriber = `process-${process.pid}-${named}.worker`
  const queueName = `${client.namespace}.sub.${subscriber}`
  const services: Array<Service> = []
  const proxies: Array<Proxy> = []
  const queue: TestCase["queue"] = async () => {
    const { consumerCount, messageCount } = await client.channel.checkQueue(queueName)
    return { ready: messageCount, consumers: consumerCount }
  }
  return {
    client,
    event,
    subscriber,
    service: (options = {}) => {
      const service = startService({
        url: client.url,
        namespace: client.namespace,
        // Long enough for a busy machine: a drain that has nothing to wait for ends at once.
        drain: 30_000,
        event,
        subscribers: [subscriber],
        ...options
      })
      services.push(service)
      return service
    },
    publish: async (orders) => void (await client.bus.publishAll(orderOf(event), orders)),
    queue,
    network: async () => {
      const url = new URL(client.url)
      const proxy = await startProxy(Number(url.port))
      proxies.push(proxy)
      url.port = String(proxy.port)
      return { proxy, url: url.href }
    },
    waitForReady: async (ready) => {
      let seen = await queue()
      await until(
        () => `${JSON.stringify(seen)} instead of ${ready} ready and no consumers`,
        async () => (seen = await queue()).ready === ready && seen.consumers === 0
      )
    },
    take: async () => {
      const held: Array<Held> = []
      for (;;) {
        const message = await client.channel.get(queueName, { noAck: true })
        if (message === false) return held
        const { headers = {}, messageId } = message.properties
        const { data } = JSON.parse(message.content.toString()) as { readonly data: Order }
        held.push({
          n: data.n,
          id: String(messageId),
          count: message.fields.redelivered ? Number(headers["x-delivery-count"] ?? 0) : 0,
          attempt: Number(headers["bus-attempt"] ?? 1)
        })
      }
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(services.map((service) => service[Symbol.asyncDispose]()))
      await Promise.all(proxies.map((proxy) => proxy.close()))
    }
  }
}

/** Polls until the condition holds; fails with what was missing. The limit is generous: the machine may be busy. */
export const until = async (
  what: () => string,
  condition: () => Promise<boolean> | boolean,
  seconds = 180
): Promise<void> => {
  const deadline = performance.now() + seconds * 1000
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`not within ${seconds} seconds: ${what()}`)
    await delay(10)
  }
}

/** Orders with the numbers from 0 up, each with a key of its own unless `order` has one. */
export const orders = (count: number, order: Partial<Order> = {}, from = 0): ReadonlyArray<Order> =>
  Array.from({ length: count }, (_, i) => ({ n: from + i, k: `k${from + i}`, act: "work", ms: 0, ...order }))

export const numbersOf = (lines: ReadonlyArray<{ readonly n?: number }>): ReadonlyArray<number> =>
  lines.map(({ n }) => n ?? -1).toSorted((a, b) => a - b)

export const upTo = (count: number, from = 0): ReadonlyArray<number> =>
  Array.from({ length: count }, (_, n) => from + n)

/** The phases that the drain of its subscriber had to cut off, from the log of the service. */
export const phasesOf = (service: Service): ReadonlyArray<string> => {
  const line = service.of("log").find(({ message }) => message === "the drain of a subscriber was cut off")
  return String(line?.fields?.["phases"] ?? "").split(", ")
}
