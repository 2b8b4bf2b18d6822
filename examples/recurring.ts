import { Event, EventBus, Recurring, runMain, Subscriber } from "@eduflow/events"
import { Deferred, Effect, Layer, Schema } from "effect"

export const MonthEnded = Event.make("billing.month.ended", {
  version: 1,
  data: Schema.Struct({ at: Schema.String })
})

export const MonthEnd = Recurring.layer("billing.month-end", {
  event: MonthEnded,
  cron: "0 6 1 * *",
  timeZone: "Europe/Berlin",
  data: (tick) => ({ at: tick.toISOString() })
})

/** So that there is something to see: each second. */
export const Heartbeat = Recurring.layer("billing.heartbeat", {
  event: MonthEnded,
  cron: "* * * * * *",
  catchUp: "none",
  data: (tick) => ({ at: tick.toISOString() })
})

export const program = Effect.gen(function* () {
  const invoiced = yield* Deferred.make<string>()
  const Invoices = Subscriber.layer("billing.invoices", {
    events: [MonthEnded],
    idempotent: true,
    handler: ({ data: { at } }) => Deferred.succeed(invoiced, `invoices of ${at}`)
  })
  return yield* Effect.provide(Deferred.await(invoiced), Layer.mergeAll(Invoices, MonthEnd, Heartbeat))
})

export const service = EventBus.layerMemory({ source: "billing" })

if (import.meta.main) runMain(Effect.flatMap(program, (line) => Effect.log(line)).pipe(Effect.provide(service)))
