/** From `@nestjs/microservices` with `Transport.RMQ`: the service as it was, and the steps away from it. */
import { Foreign, type PromiseEventBus } from "@eduflow/events"
import { Controller, Inject, Module } from "@nestjs/common"
import { NestFactory } from "@nestjs/core"
import {
  ClientProxyFactory,
  Ctx,
  EventPattern,
  type MicroserviceOptions,
  Payload,
  RmqContext,
  Transport
} from "@nestjs/microservices"
import { lastValueFrom } from "rxjs"
import { type Book, OrderPaid, orderIdOf } from "./orders.ts"

@Controller()
export class Billing {
  constructor(@Inject("book") private readonly book: Book) {}

  @EventPattern("order_paid")
  async paid(@Payload() order: { readonly orderId: string }, @Ctx() context: RmqContext) {
    await this.book(order.orderId, order.orderId)
    context.getChannelRef().ack(context.getMessage())
  }
}

export const oldConsumer = async (url: string, book: Book) => {
  @Module({ controllers: [Billing], providers: [{ provide: "book", useValue: book }] })
  class App {}
  const app = await NestFactory.createMicroservice<MicroserviceOptions>(App, {
    transport: Transport.RMQ,
    options: {
      urls: [url],
      queue: "billing_queue",
      queueOptions: { durable: true },
      // Nest's default is true: RabbitMQ forgets a message when it is sent, and what a process holds at its end is lost.
      noAck: false,
      prefetchCount: 20
    },
    logger: false
  })
  await app.listen()
  return { stop: () => app.close() }
}

export const oldProducer = async (url: string) => {
  const client = ClientProxyFactory.create({
    transport: Transport.RMQ,
    options: { urls: [url], queue: "billing_queue", queueOptions: { durable: true }, persistent: true }
  })
  await client.connect()
  const pay = (orderId: string) => lastValueFrom(client.emit("order_paid", { orderId }), { defaultValue: undefined })
  return { pay, stop: async () => client.close() }
}

export const payInOldForm = (bus: PromiseEventBus) => (orderId: string) =>
  bus.publishForeign(
    { queue: "billing_queue" },
    OrderPaid,
    { orderId },
    { id: orderId, type: "order_paid", codec: Foreign.nest() }
  )

export const readOldQueue = (bus: PromiseEventBus, book: Book) =>
  bus.subscribe("billing.old-orders", {
    events: Foreign.queue("billing_queue", {
      codec: Foreign.nest({ id: (_message, data) => orderIdOf(data) }),
      types: { order_paid: OrderPaid }
    }),
    handler: (event) => book(event.data.orderId, event.id)
  })
