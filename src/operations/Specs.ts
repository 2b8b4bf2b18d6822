/** What the subscribers of a contracts module declare: from the options that `Subscriber.layer` takes. */
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import type { SubscriberSpec } from "../bus/port/Broker.ts"
import * as SubscriberSettings from "../bus/subscriber/SubscriberSettings.ts"
import type { SubscriberOptions } from "../bus/subscriber/SubscriberOptions.ts"
import type * as Event from "../event/Event.ts"

/** Those that name their events, of `[{ name, events, … }]`. Throws `SubscribeError` where an option cannot work. */
export const specsIn = (value: unknown): ReadonlyArray<SubscriberSpec> =>
  (Array.isArray(value) ? value : []).flatMap((one: unknown) =>
    Predicate.hasProperty(one, "name") && Predicate.isString(one.name) && Predicate.hasProperty(one, "events")
      ? [specOf(one.name, one)]
      : []
  )

/** The options that decide what is declared; others say how events are handled. */
const deciding = ["events", "ordering", "onBlocked", "retired"]

const specOf = (name: string, given: object): SubscriberSpec => {
  const options = Object.fromEntries(Object.entries(given).filter(([option]) => deciding.includes(option)))
  // The options are checked by what takes them, since a module may export anything.
  const asked = { ...options, handler: () => Effect.void } as unknown as SubscriberOptions<Event.Any, never, never>
  const settled = SubscriberSettings.settle(name, asked, false)
  if (Result.isFailure(settled)) throw settled.failure
  const { ordering, parksFromStart, patterns } = settled.success
  return { name, ordering, patterns, parking: parksFromStart }
}
