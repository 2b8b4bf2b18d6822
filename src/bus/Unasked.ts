/**
 * Events that a subscriber did not ask for: a stale binding brings them after its events were narrowed.
 * They are acknowledged and counted, with one warning for each type.
 */
import type * as Log from "../observe/Log.ts"
import type * as Metrics from "../observe/Meters.ts"
import type { Delivery } from "./Broker.ts"
import type { Counters } from "./Work.ts"

/** Types come from outside: so many are warned about, then they are only counted. */
const maxWarned = 1000

export const skipper = (
  subscriber: string,
  parts: { readonly counters: Counters; readonly metrics: Metrics.SubscriberMetrics; readonly log: Log.Log }
) => {
  const { counters, log, metrics } = parts
  const warned = new Set<string>()
  return (delivery: Delivery, event: string): void => {
    counters.skipped++
    metrics.outcome("skipped").update(1)
    if (!warned.has(event) && warned.size < maxWarned) {
      warned.add(event)
      log.warning("an event that this subscriber did not ask for was skipped", { subscriber, event })
    }
    delivery.ack()
  }
}
