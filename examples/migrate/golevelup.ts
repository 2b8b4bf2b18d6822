/** From `@golevelup/nestjs-rabbitmq`: the service as it was, and the steps away from it. */
import { Foreign, type PromiseEventBus } from "@eduflow/events"
import { AmqpConnection, RabbitMQModule, RabbitSubscribe } from "@golevelup/nestjs-rabbitmq"
import { Inject, Injectable, Module } from "@nestjs/common"
import { NestFactory } from "@nestjs/core"
import { type Book, OrderPaid, orderIdOf } from "./orders.ts"

@Injectable()
export class Billing {
  constructor(@Inject("book") private readonly book: Book) {}

  @RabbitSubscribe({ exchange: "shop", routingKey: "order.paid", queue: "billing" })
  paid(order: { readonly orderId: string }) {
    return this.book(order.orderId, order.orderId)
  }
}

const settings = (url: string) => ({
  uri: url,
  exchanges: [{ name: "shop", type: "topic" }],
  prefetchCount: 20
})

export const oldConsumer = async (url: string, book: Book) => {
  @Module({
    imports: [RabbitMQModule.forRoot(settings(url))],
    providers: [Billing, { provide: "book", useValue: book }]
  })
  class App {}
  const app = await NestFactory.createApplicationContext(App, { logger: false })
  return { stop: () => app.close() }
}

/** A service of its own. A second app of this process would share the connections of the first, and end with it. */
export const oldProducer = async (url: string) => {
  const connection = new AmqpConnection({ ...settings(url) })
  await connection.init()
  const pay = (orderId: string) => connection.publish("shop", "order.paid", { orderId })
  return { pay, stop: () => connection.close() }
}

export const payInOldForm = (bus: PromiseEventBus) => (orderId: string) =>
  bus.publishForeign({ exchange: "shop", routingKey: "order.paid" }, OrderPaid, { orderId }, { id: orderId })

export const readOldQueue = (bus: PromiseEventBus, book: Book) =>
  bus.subscribe("billing.old-orders", {
    events: Foreign.queue("billing", {
      codec: Foreign.json({
        type: ({ routingKey }) => routingKey,
        id: (_message, data) => orderIdOf(data)
      }),
      types: { "order.paid": OrderPaid }
    }),
    handler: (event) => book(event.data.orderId, event.id)
  })
