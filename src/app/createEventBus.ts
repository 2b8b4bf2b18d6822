/**
 * The bus for code without Effect: Promises in and out, `await using` ends it. It is the same bus with the same
 * promises, errors and objects on the broker. Its parts are loaded when a bus is created.
 */
import type { PromiseExtras, PromiseBusOptions, PromiseEventBus } from "./promise/PromiseEventBus.ts"

/**
 * Connects a bus, or rejects with a `BrokerError` that says what to do. The address `memory://` is the embedded bus.
 * Without options, and with `around` and `logger` alone, it reads the environment: `EVENTBUS_URL` and the other settings, as
 * `EventBusLive` does.
 *
 * @example
 * ```ts
 * import { createEventBus, Event } from "@eduflow/events"
 * import { Schema } from "effect"
 *
 * const Posted = Event.make("social.post.created", { version: 1, data: Schema.Struct({ text: Schema.String }) })
 *
 * export const run = async () => {
 *   await using bus = await createEventBus({ url: "memory://", source: "social" })
 *   await bus.subscribe("notification.posts", { events: [Posted], handler: (event) => event.data.text })
 *   await bus.publish(Posted, { text: "hello" })
 * }
 * ```
 */
export const createEventBus = async (options?: PromiseBusOptions | PromiseExtras): Promise<PromiseEventBus> => {
  // The stack of an error is that of this call, wherever it happens.
  const site = {}
  Error.captureStackTrace(site, createEventBus)
  const { make } = await import("./promise/PromiseEventBus.ts")
  return make(options, site)
}
