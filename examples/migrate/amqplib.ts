/** From plain amqplib: the service as it was, and the steps away from it. */
import { Foreign, type PromiseEventBus } from "@eduflow/events"
import { connect } from "amqplib"
import { type Book, OrderPaid, orderIdOf } from "./orders.ts"

export const oldConsumer = async (url: string, book: Book) => {
  const connection = await connect(url)
  const channel = await connection.createChannel()
  await channel.assertQueue("orders", { durable: true })
  await channel.prefetch(20)
  await channel.consume("orders", (message) => {
    if (message === null) return
    const { orderId }: { readonly orderId: string } = JSON.parse(message.content.toString())
    book(orderId, orderId)
      .then(
        () => channel.ack(message),
        () => channel.nack(message)
      )
      // The channel is closed, so RabbitMQ gives the message to another consumer.
      .catch(() => {})
  })
  return { stop: () => connection.close() }
}

export const oldProducer = async (url: string) => {
  const connection = await connect(url)
  const channel = await connection.createConfirmChannel()
  await channel.assertQueue("orders", { durable: true })
  const pay = async (orderId: string) => {
    channel.sendToQueue("orders", Buffer.from(JSON.stringify({ orderId })), { persistent: true })
    await channel.waitForConfirms()
  }
  return { pay, stop: () => connection.close() }
}

export const payInOldForm = (bus: PromiseEventBus) => (orderId: string) =>
  bus.publishForeign({ queue: "orders" }, OrderPaid, { orderId }, { id: orderId })

export const readOldQueue = (bus: PromiseEventBus, book: Book) =>
  bus.subscribe("billing.old-orders", {
    events: Foreign.queue("orders", {
      codec: Foreign.json({ id: (_message, data) => orderIdOf(data) }),
      types: { "*": OrderPaid }
    }),
    handler: (event) => book(event.data.orderId, event.id)
  })
