/** rascal: a publication with confirms and a subscription, over its default pool of five confirm channels. */
import rascal from "rascal"
import { exchange, message, properties, queueOf, read } from "../GradeMessage.ts"
import type { Peer } from "./Peer.ts"

export const peer: Peer = {
  open: async (url, { prefetch = 250, subscriber = "bench.sink" } = {}) => {
    const queue = queueOf(subscriber)
    const broker = await rascal.BrokerAsPromised.create(
      rascal.withDefaultConfig({
        vhosts: {
          "/": {
            connection: { url },
            exchanges: { [exchange]: { check: true, assert: false } },
            queues: { [queue]: { check: true, assert: false } },
            publications: { grades: { exchange, confirm: true } },
            subscriptions: { grades: { queue, prefetch } }
          }
        }
      })
    )
    broker.on("error", () => {})
    return {
      publish: (type, data, done) => {
        const sent = message(type, data)
        broker
          .publish("grades", sent.body, { routingKey: type, options: properties(type, sent) })
          .then((publication) => publication.on("success", () => done()).on("error", (error) => done(error)), done)
      },
      consume: async (_subscriber, _prefetch, handle) => {
        const subscription = await broker.subscribe("grades")
        subscription.on("message", (_message, content, ackOrNack) => {
          handle(read(content))
          ackOrNack()
        })
        subscription.on("error", () => {})
      },
      close: () => broker.shutdown()
    }
  }
}
