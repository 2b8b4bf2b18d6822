/**
 * Consumers that keep the order of a key, each as the documentation of its library shows and with its defaults. None but
 * this library orders by key, so the others have a chain of promises for each key, which a service would write as well.
 */
import { AmqpConnection } from "@golevelup/nestjs-rabbitmq"
import { connect } from "amqplib"
import rascal from "rascal"
import { queueOf, read } from "../GradeMessage.ts"
import type { Consume, Handle } from "./Protocol.ts"

/** One event of each key at a time, in the order of their deliveries. */
const inOrder = (handle: Handle): Handle => {
  const last = new Map<string, Promise<void>>()
  return (data) => {
    const handled = (last.get(data.studentId) ?? Promise.resolve()).then(() => handle(data))
    last.set(data.studentId, handled)
    return handled
  }
}

/** `again`: a consumer that the broker cancelled consumes again, which the tutorials leave out. */
const byHand =
  (again: boolean): Consume =>
  async ({ prefetch, subscriber, url }, handle, say) => {
    const connection = await connect(url, { noDelay: true })
    connection.on("error", (error: Error) => say(error.message))
    // What supervises the process starts it again.
    connection.on("close", () => process.exit(1))
    const channel = await connection.createChannel()
    channel.on("error", (error: Error) => say(error.message))
    await channel.prefetch(prefetch)
    const ordered = inOrder(handle)
    const consume = async (): Promise<void> => {
      await channel.consume(queueOf(subscriber), (delivery) => {
        if (delivery === null) {
          say("the consumer was cancelled")
          if (again) void consume()
          return
        }
        void ordered(read(delivery.content)).then(() => channel.ack(delivery))
      })
    }
    await consume()
  }

const golevelup: Consume = async ({ prefetch, subscriber, url }, handle, say) => {
  const log = (...words: ReadonlyArray<unknown>): void => say(words.map(String).join(" ").slice(0, 200))
  const none = (): void => {}
  const connection = new AmqpConnection({
    uri: url,
    prefetchCount: prefetch,
    logger: { log: none, debug: none, verbose: none, warn: log, error: log, fatal: log },
    deserializer: (body) => read(body),
    connectionInitOptions: { wait: true, timeout: 20_000 }
  })
  await connection.init()
  const ordered = inOrder(handle)
  await connection.createSubscriber<ReturnType<typeof read>>(
    async (data) => {
      if (data !== undefined) await ordered(data)
    },
    { queue: queueOf(subscriber), createQueueIfNotExists: false },
    "bench"
  )
}

const withRascal: Consume = async ({ prefetch, subscriber, url }, handle, say) => {
  const queue = queueOf(subscriber)
  const broker = await rascal.BrokerAsPromised.create(
    rascal.withDefaultConfig({
      vhosts: {
        "/": {
          connection: { url },
          queues: { [queue]: { check: true, assert: false } },
          subscriptions: { grades: { queue, prefetch } }
        }
      }
    })
  )
  broker.on("error", ({ message }) => say(message))
  const subscription = await broker.subscribe("grades")
  const ordered = inOrder(handle)
  subscription.on("message", (_message, content, ackOrNack) => {
    void ordered(read(content)).then(() => ackOrNack())
  })
  subscription.on("error", ({ message }) => say(message))
}

export const consumers: Readonly<Record<string, Consume>> = {
  amqplib: byHand(false),
  "amqplib, consuming again": byHand(true),
  golevelup,
  rascal: withRascal
}
