/**
 * A process that publishes on a bus that it closed before. It prints how each publish failed and what would keep the
 * process, and ends by itself.
 */
import { createEventBus, Event } from "@eduflow/events"
import { Schema } from "effect"

const Happened = Event.make("closed.thing.happened", { version: 1, data: Schema.Struct({ n: Schema.Finite }) })
const bus = await createEventBus({ url: process.argv[2] ?? "memory://", source: "closed" })
await bus.publish(Happened, { n: 0 })
await bus.close()
const failed = async (call: () => Promise<unknown>): Promise<string> =>
  call().then(
    () => "confirmed",
    (error: unknown) => String(error)
  )
const failures: Array<string> = []
for (let n = 0; n < 30; n++) failures.push(await failed(() => bus.publish(Happened, { n })))
failures.push(await failed(() => bus.publishAll(Happened, [{ n: 1 }])))
failures.push(await failed(() => bus.subscribe("closed.late", { events: [Happened], handler: () => {} })))
await new Promise((resolve) => setImmediate(resolve))
const timers = process.getActiveResourcesInfo().filter((name) => name === "Timeout")
console.log(JSON.stringify({ failures, timers }))
