import {
  Around,
  Baggage,
  createEventBus,
  CurrentActor,
  CurrentBaggage,
  CurrentTenant,
  Event,
  EventBus,
  runMain,
  Subscriber
} from "@eduflow/events"
import { Effect, Layer, Queue, Schema } from "effect"
import { AccountClosed } from "./events.ts"

export const RefundDue = Event.make("billing.refund.due", {
  version: 1,
  data: Schema.Struct({ userId: Schema.String })
})

export const request = Effect.flatMap(EventBus, (bus) => bus.publish(AccountClosed, { userId: "u-1" })).pipe(
  Effect.provideService(CurrentTenant, "school-7"),
  Effect.provideService(CurrentActor, { id: "u-1", role: "student" }),
  Effect.provideService(CurrentBaggage, Baggage.of({ channel: "app" }))
)

export const Billing = Subscriber.layer("billing.accounts", {
  events: [AccountClosed],
  handler: ({ data }) => Effect.flatMap(EventBus, (bus) => bus.publish(RefundDue, { userId: data.userId }))
})

const paid = Effect.runSync(Queue.unbounded<string>())

export const Payments = Subscriber.layer("payments.refunds", {
  events: [RefundDue],
  handler: (event, { baggage }) =>
    Queue.offer(paid, `${event.tenant}: ${event.actor?.id}, by ${baggage?.get("channel")}`)
})

export const TenantSpan = Around.make({
  name: "tenant-span",
  handling: (handle, { events: [event] }) =>
    Effect.andThen(Effect.annotateCurrentSpan("eduflow.tenant", event?.tenant), handle)
})

export const withoutEffect = async () => {
  const bus = await createEventBus({ url: "memory://", source: "accounts" })
  try {
    return await bus.within({ tenant: "school-7", baggage: { channel: "app" } }, async () => {
      await bus.publish(AccountClosed, { userId: "u-2" })
      return bus.publish(AccountClosed, { userId: "u-3" }, { baggage: undefined })
    })
  } finally {
    await bus.close()
  }
}

export const service = Layer.merge(Billing, Payments).pipe(
  Layer.provideMerge(EventBus.layerMemory({ source: "accounts" }).pipe(Around.provide(TenantSpan)))
)

export const program = Effect.andThen(request, Queue.take(paid))

if (import.meta.main) {
  runMain(Effect.flatMap(program, (line) => Effect.log(line)).pipe(Effect.provide(service)))
}
