import { Event, EventBus, Foreign, runMain, Subscriber } from "@eduflow/events"
import { Effect, Layer, Schedule, Schema } from "effect"

const OrderCreated = Event.make("shop.order.created", { version: 1, data: Schema.Struct({ orderId: Schema.String }) })
const OrderPaid = Event.make("shop.order.paid", { version: 1, data: Schema.Struct({ orderId: Schema.String }) })

const createInvoice = (orderId: string) => Effect.log(`invoice for ${orderId}`)

export const Invoices = Subscriber.layer("billing.invoices", {
  events: Foreign.queue("orders_queue", { codec: Foreign.nest(), types: { order_created: OrderCreated } }),
  handler: (event) => createInvoice(event.data.orderId),
  retry: Schedule.exponential("500 millis").pipe(Schedule.upTo({ times: 6 }))
})

export const Bookkeeping = Subscriber.layer("billing.books", {
  events: Foreign.exchange("shop", { topic: "order.#" }, { types: { "order.paid": OrderPaid }, onUnknownType: "skip" }),
  handler: (event) => Effect.log(`book ${event.data.orderId}`)
})

/** What the other system would publish. */
export const program = Effect.gen(function* () {
  const order = { type: "order_created", codec: Foreign.nest() }
  yield* Foreign.publish({ queue: "orders_queue" }, OrderCreated, { orderId: "o-1" }, order)
  yield* Foreign.publish(
    { exchange: "shop", routingKey: "order.paid" },
    OrderPaid,
    { orderId: "o-1" },
    { type: "order.paid" }
  )
  yield* Effect.sleep("1 second")
})

if (import.meta.main) {
  runMain(
    program.pipe(Effect.provide(Layer.merge(Invoices, Bookkeeping).pipe(Layer.provideMerge(EventBus.layerMemory()))))
  )
}
