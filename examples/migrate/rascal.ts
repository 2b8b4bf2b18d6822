/** From `rascal`: the service as it was, and the steps away from it. */
import { Foreign, type PromiseEventBus } from "@eduflow/events"
import { BrokerAsPromised, type BrokerConfig, withDefaultConfig } from "rascal"
import { type Book, OrderPaid, orderIdOf } from "./orders.ts"

const settings = (url: string): BrokerConfig =>
  withDefaultConfig({
    vhosts: {
      "/": {
        connection: { url },
        exchanges: ["payments"],
        queues: ["payments_billing"],
        bindings: ["payments[order.paid] -> payments_billing"],
        publications: { paid: { exchange: "payments", routingKey: "order.paid", confirm: true } },
        subscriptions: { paid: { queue: "payments_billing", prefetch: 20 } }
      }
    }
  })

export const oldConsumer = async (url: string, book: Book) => {
  const broker = await BrokerAsPromised.create(settings(url))
  const subscription = await broker.subscribe("paid")
  subscription.on("message", (_message, order: { readonly orderId: string }, ackOrNack) => {
    book(order.orderId, order.orderId).then(
      () => ackOrNack(),
      (error: Error) => ackOrNack(error)
    )
  })
  return { stop: () => broker.shutdown() }
}

export const oldProducer = async (url: string) => {
  const broker = await BrokerAsPromised.create(settings(url))
  const pay = async (orderId: string) => {
    const publication = await broker.publish("paid", { orderId })
    await new Promise((resolve, reject) => publication.on("success", resolve).on("error", reject))
  }
  return { pay, stop: () => broker.shutdown() }
}

export const payInOldForm = (bus: PromiseEventBus) => (orderId: string) =>
  bus.publishForeign({ exchange: "payments", routingKey: "order.paid" }, OrderPaid, { orderId }, { id: orderId })

export const readOldQueue = (bus: PromiseEventBus, book: Book) =>
  bus.subscribe("billing.old-orders", {
    events: Foreign.queue("payments_billing", {
      codec: Foreign.json({
        type: ({ routingKey }) => routingKey,
        id: (_message, data) => orderIdOf(data)
      }),
      types: { "order.paid": OrderPaid }
    }),
    handler: (event) => book(event.data.orderId, event.id)
  })
