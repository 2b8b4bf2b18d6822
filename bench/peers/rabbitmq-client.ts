/** rabbitmq-client: its Publisher with confirms, its Consumer with the prefetch as its concurrency. */
import { Connection } from "rabbitmq-client"
import { exchange, message, properties, queueOf, read } from "../GradeMessage.ts"
import { type Peer, settle } from "./Peer.ts"

export const peer: Peer = {
  open: async (url) => {
    const connection = new Connection(url)
    const publisher = connection.createPublisher({ confirm: true })
    const closing: Array<() => Promise<void>> = []
    await connection.onConnect()
    return {
      publish: (type, data, done) => {
        const sent = message(type, data)
        const { persistent, ...rest } = properties(type, sent)
        settle(publisher.send({ exchange, routingKey: type, durable: persistent, ...rest }, sent.body), done)
      },
      consume: async (subscriber, prefetch, handle) => {
        const consumer = connection.createConsumer(
          { queue: queueOf(subscriber), queueOptions: { passive: true }, qos: { prefetchCount: prefetch } },
          async (delivery) => {
            handle(read(delivery.body))
          }
        )
        closing.push(() => consumer.close())
        await new Promise<void>((resolve) => consumer.once("ready", () => resolve()))
      },
      close: async () => {
        for (const close of closing) await close()
        await publisher.close()
        await connection.close()
      }
    }
  }
}
