/** What the services of the guide share: the contract of what they move, and the new side, which is the same wherever one comes from. */
import { Event, type PromiseEventBus } from "@eduflow/events"
import { Predicate, Schema } from "effect"

export const OrderPaid = Event.make("shop.order.paid", {
  version: 1,
  data: Schema.Struct({ orderId: Schema.String })
})

/** An order is paid once, so its id is that of the event, in the old form and in the new one. */
export const orderIdOf = (data: unknown) =>
  Predicate.hasProperty(data, "orderId") && Predicate.isString(data.orderId) ? data.orderId : undefined

/** What a handler does. `id` is that of the event: one that comes twice has it twice. */
export type Book = (orderId: string, id: string) => Promise<void>

export const readEvents = (bus: PromiseEventBus, book: Book) =>
  bus.subscribe("billing.orders", {
    events: [OrderPaid],
    handler: (event) => book(event.data.orderId, event.id)
  })

export const newProducer = (bus: PromiseEventBus) => (orderId: string) =>
  bus.publish(OrderPaid, { orderId }, { id: orderId })
