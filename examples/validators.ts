import { Event, EventBus } from "@eduflow/events"
import { Effect } from "effect"
import { z } from "zod"

export const OrderPlaced = Event.make("shop.order.placed", {
  version: 1,
  data: z.object({
    orderId: z.string(),
    email: z.email().toLowerCase(),
    placedAt: z.iso.datetime().transform((text) => new Date(text)),
    items: z.array(z.object({ sku: z.string(), quantity: z.int().min(1).default(1) })).min(1)
  }),
  key: (order) => order.email,
  sensitive: ["email"]
})

export const placed: Effect.Effect<string, never, EventBus> = Effect.gen(function* () {
  const bus = yield* EventBus
  const order = { orderId: "o-1", email: "ann-at-shop", placedAt: "2026-01-15T09:30:00Z", items: [{ sku: "s-7" }] }
  // The publish takes the input of the schema, and a handler gets its output: `placedAt` is a Date there.
  return yield* bus.publish(OrderPlaced, order).pipe(
    Effect.as("placed"),
    Effect.catchTag("PublishError", ({ reason }) =>
      Effect.succeed(reason._tag === "Invalid" ? reason.faults.map(({ path }) => path).join() : reason._tag)
    )
  )
})

if (import.meta.main) {
  await Effect.runPromise(Effect.flatMap(placed, Effect.log).pipe(Effect.provide(EventBus.layerMemory())))
}
