/** From the header `x-delay` of the delayed-message plugin. */
import { Event, Foreign, Later, type PromiseEventBus } from "@eduflow/events"
import { Result, Schema } from "effect"
import { type Book, OrderPaid, orderIdOf } from "./orders.ts"

/** What was `channel.publish("reminders", "order.paid", body, { headers: { "x-delay": millis } })`. */
export const remindLater = (bus: PromiseEventBus, orderId: string, millis: number) =>
  bus.publish(OrderPaid, { orderId }, { id: orderId, delay: millis })

export const Reminder = Event.make("shop.order.reminder", {
  version: 1,
  data: Schema.Struct({ orderId: Schema.String, wait: Schema.Finite })
})

const json = Foreign.json({ id: (_message, data) => orderIdOf(data) })

/** The plugin makes the header negative once it has waited. An exchange without it leaves the waiting to us. */
const withDelay: Foreign.Codec = {
  ...json,
  read: (message) =>
    Result.map(json.read(message), (event) => ({
      ...event,
      data: { ...Object(event.data), wait: Number(message.headers["x-delay"] ?? 0) }
    }))
}

export const readReminders = (bus: PromiseEventBus, exchange: string, book: Book) =>
  bus.subscribe("billing.old-reminders", {
    events: Foreign.exchange(
      exchange,
      { topic: "order.paid" },
      { codec: withDelay, types: { "order.paid": Reminder } }
    ),
    handler: async (event) => {
      const left = event.time.getTime() + event.data.wait - Date.now()
      if (left > 0) throw Later.in(left)
      await book(event.data.orderId, event.id)
    }
  })
