/**
 * An event that is published again and again, at the times of a cron expression: once for each time, however many processes of
 * the service run.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Event from "../event/Event.ts"
import { EventBus } from "./EventBus.ts"
import type { RecurringOptions } from "./recurring/RecurringOptions.ts"
import type { SubscribeError } from "./subscriber/SubscribeError.ts"

export type { RecurringOptions as Options, TickPublishOptions } from "./recurring/RecurringOptions.ts"

/**
 * Publishes an event at each tick, from one of the processes that have this layer. When that one ends, another goes on. A tick
 * has the same event id from every process: if one is published twice, around a crash, `idempotent` subscribers handle it once.
 * The last tick is stored on the broker, so nothing else is needed to know which ones passed while no process ran.
 *
 * Ready when its queue `recurring.<name>` is declared and consumed. Fails with `SubscribeError` when an option cannot work.
 *
 * @example
 * ```ts
 * import { Event, Recurring } from "@eduflow/events"
 * import { Schema } from "effect"
 *
 * const MonthEnded = Event.make("billing.month.ended", {
 *   version: 1,
 *   data: Schema.Struct({ at: Schema.String })
 * })
 *
 * export const MonthEnd = Recurring.layer("billing.month-end", {
 *   event: MonthEnded,
 *   cron: "0 6 1 * *",
 *   timeZone: "Europe/Berlin",
 *   data: (tick) => ({ at: tick.toISOString() })
 * })
 * ```
 */
export const layer = <E extends Event.Any>(
  name: string,
  options: RecurringOptions<E>
): Layer.Layer<never, SubscribeError, EventBus> =>
  Layer.effectDiscard(Effect.flatMap(EventBus, (bus) => bus.recurring(name, options)))
