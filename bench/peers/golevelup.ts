/** @golevelup/nestjs-rabbitmq: its AmqpConnection alone, without a Nest application around it. */
import { AmqpConnection } from "@golevelup/nestjs-rabbitmq"
import { exchange, message, properties, queueOf, read } from "../GradeMessage.ts"
import { type Peer, settle } from "./Peer.ts"

const silent = { log: () => {}, warn: () => {}, error: () => {}, debug: () => {}, verbose: () => {}, fatal: () => {} }

export const peer: Peer = {
  open: async (url, { prefetch = 250 } = {}) => {
    const connection = new AmqpConnection({
      uri: url,
      prefetchCount: prefetch,
      logger: silent,
      deserializer: (body) => read(body),
      connectionInitOptions: { wait: true, timeout: 20_000 }
    })
    await connection.init()
    return {
      publish: (type, data, done) => {
        const sent = message(type, data)
        settle(connection.publish(exchange, type, sent.body, properties(type, sent)), done)
      },
      consume: async (subscriber, _prefetch, handle) => {
        await connection.createSubscriber<ReturnType<typeof read>>(
          async (data) => {
            if (data !== undefined) handle(data)
          },
          { queue: queueOf(subscriber), createQueueIfNotExists: false },
          "bench"
        )
      },
      close: () => connection.managedConnection.close()
    }
  }
}
