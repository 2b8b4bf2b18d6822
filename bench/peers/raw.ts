/**
 * amqplib by hand: one connection, one confirm channel, one ack per message. `raw` has amqplib's defaults, with
 * Nagle's algorithm on; `raw-nodelay` switches it off.
 */
import { connect } from "amqplib"
import { exchange, message, properties, queueOf, read } from "../GradeMessage.ts"
import type { Peer, Session } from "./Peer.ts"

const open = async (url: string, noDelay: boolean): Promise<Session> => {
  const connection = await connect(url, { noDelay })
  const channel = await connection.createConfirmChannel()
  return {
    publish: (type, data, done) => {
      const sent = message(type, data)
      channel.publish(exchange, type, sent.body, properties(type, sent), (error: unknown) => done(error ?? undefined))
    },
    consume: async (subscriber, prefetch, handle) => {
      const receiving = await connection.createChannel()
      await receiving.prefetch(prefetch)
      await receiving.consume(queueOf(subscriber), (delivery) => {
        if (delivery === null) return
        handle(read(delivery.content))
        receiving.ack(delivery)
      })
    },
    close: () => connection.close()
  }
}

export const peer: Peer = { open: (url) => open(url, false) }
export const noDelay: Peer = { open: (url) => open(url, true) }
