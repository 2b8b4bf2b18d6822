/** The metrics of an outbox, as in Metrics.ts. A process without one has none of them. */
import { collection, seconds } from "./MetricDefinition.ts"

const { all, counter, gauge, histogram, updowncounter } = collection()
const more = { emitter: "outbox" } as const

export const appended = counter(
  "eventbus.outbox.appended",
  "{event}",
  ["eventbus.event"],
  "Events appended to the outbox, also in transactions that were rolled back",
  more
)
export const relayed = counter(
  "eventbus.outbox.relayed",
  "{event}",
  ["eventbus.outcome"],
  "Events of the outbox by outcome: published, or set aside with the reason of the refusal",
  more
)
export const delay = histogram("eventbus.outbox.delay", "s", [], "Time from the append of an event to its confirm", {
  ...more,
  boundaries: seconds
})
export const pending = gauge(
  "eventbus.outbox.pending",
  "{event}",
  [],
  "Committed events that are not published yet, at most 100,000, measured every 15 s; all relays report the same value",
  more
)
export const oldest = gauge(
  "eventbus.outbox.oldest_age",
  "s",
  [],
  "Age of the oldest committed event that is not published yet, measured every 15 s; 0 if there is none",
  more
)
export const refused = gauge(
  "eventbus.outbox.refused",
  "{event}",
  [],
  "Events of the outbox that were set aside because they were refused for good, measured every 15 s",
  more
)
export const partitions = updowncounter(
  "eventbus.outbox.partitions",
  "{partition}",
  [],
  "Partitions of the outbox that the process publishes; the others are held by relays of other processes",
  more
)

export { all }
