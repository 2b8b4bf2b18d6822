/** amqp-connection-manager: its ChannelWrapper, confirming by default. */
import { connect } from "amqp-connection-manager"
import { exchange, message, properties, queueOf, read } from "../GradeMessage.ts"
import { type Peer, settle } from "./Peer.ts"

export const peer: Peer = {
  open: async (url) => {
    const connection = connect([url])
    const publishing = connection.createChannel({ json: false })
    await publishing.waitForConnect()
    return {
      publish: (type, data, done) => {
        const sent = message(type, data)
        settle(publishing.publish(exchange, type, sent.body, properties(type, sent)), done)
      },
      consume: async (subscriber, prefetch, handle) => {
        const receiving = connection.createChannel({ confirm: false })
        await receiving.waitForConnect()
        await receiving.consume(
          queueOf(subscriber),
          (delivery) => {
            handle(read(delivery.content))
            receiving.ack(delivery)
          },
          { prefetch }
        )
      },
      close: () => connection.close()
    }
  }
}
