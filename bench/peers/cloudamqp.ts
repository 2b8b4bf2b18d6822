/** @cloudamqp/amqp-client: a channel in confirm mode, and basicConsume. */
import { AMQPClient } from "@cloudamqp/amqp-client"
import { exchange, message, properties, queueOf, read } from "../GradeMessage.ts"
import { type Peer, settle } from "./Peer.ts"

export const peer: Peer = {
  open: async (url) => {
    const connection = await new AMQPClient(url).connect()
    const publishing = await connection.channel()
    await publishing.confirmSelect()
    return {
      publish: (type, data, done) => {
        const sent = message(type, data)
        const { appId, contentEncoding, contentType, headers, messageId } = properties(type, sent)
        const options = {
          deliveryMode: 2,
          appId,
          contentEncoding,
          contentType,
          headers,
          messageId,
          type,
          timestamp: new Date(sent.seconds * 1000)
        }
        settle(publishing.basicPublish(exchange, type, sent.body, options, true), done)
      },
      consume: async (subscriber, prefetch, handle) => {
        const receiving = await connection.channel()
        await receiving.basicQos(prefetch)
        await receiving.basicConsume(queueOf(subscriber), { noAck: false }, async (delivery) => {
          handle(read(delivery.body ?? new Uint8Array()))
          await delivery.ack()
        })
      },
      close: async () => void (await connection.close())
    }
  }
}
