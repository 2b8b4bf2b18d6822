/**
 * Every metric of the runtime as data: name, kind, unit (UCUM), description, attributes. Nothing else in
 * the library names a metric, so that dashboards and alerts are generated from here and a test holds it
 * against what a run really emits.
 *
 * Names in `messaging.*` and their attributes follow OpenTelemetry's conventions
 * (https://opentelemetry.io/docs/specs/semconv/messaging/messaging-metrics/ and .../rabbitmq/), the rest
 * is ours under `eventbus.*`. Attributes are bounded: names of events, subscribers, outcomes and reasons;
 * never an id or a key.
 */

import { collection } from "./Definition.ts"

const { all, counter, gauge, histogram, updowncounter } = collection()

/** From a tenth of a millisecond to five minutes. */
const seconds = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300
]
const attempts = [1, 2, 3, 4, 5, 7, 10, 20, 50, 100, 1000]

const operation = ["messaging.system", "messaging.operation.name", "messaging.operation.type"] as const
const published = [...operation, "messaging.destination.name", "error.type", "eventbus.event"] as const
const delivered = [
  ...operation,
  "messaging.destination.name",
  "messaging.consumer.group.name",
  "eventbus.subscriber"
] as const
const subscriber = ["eventbus.subscriber"] as const

// Publishing
export const sent = counter(
  "messaging.client.sent.messages",
  "{message}",
  published,
  "Events that were sent to the broker, whatever it answered"
)
export const sendDuration = histogram(
  "messaging.client.operation.duration",
  "s",
  published,
  "Time from the call of publish to its outcome, of events that were sent",
  { boundaries: seconds }
)
export const publishes = counter(
  "eventbus.publish.outcomes",
  "{event}",
  ["eventbus.event", "eventbus.outcome"],
  "Publishes by outcome, those included that were refused before anything was sent"
)
export const resent = counter(
  "eventbus.publish.resent",
  "{message}",
  [],
  "Sends repeated after a nack or a lost confirm"
)
export const blockedTime = counter(
  "eventbus.publish.blocked_time",
  "s",
  [],
  "Time in which the broker blocked publishers: it was out of memory or disk"
)
export const doorInFlight = updowncounter(
  "eventbus.door.in_flight",
  "{event}",
  ["eventbus.door"],
  "Events between the door and their outcome"
)
export const doorSize = updowncounter(
  "eventbus.door.size",
  "By",
  ["eventbus.door"],
  "Bodies of the events between the door and their outcome"
)
export const doorWaiting = updowncounter(
  "eventbus.door.waiting",
  "{event}",
  ["eventbus.door"],
  "Events that wait in front of the door: it is full, or the broker is away or blocks"
)

// The connection
export const connections = updowncounter(
  "eventbus.connection.up",
  "{connection}",
  ["eventbus.connection"],
  "Connections to RabbitMQ that are up",
  { emitter: "rabbitmq" }
)
export const reconnects = counter(
  "eventbus.connection.reconnects",
  "{reconnect}",
  ["eventbus.connection"],
  "Connections that were lost and are up again",
  { emitter: "rabbitmq" }
)
export const lateAcks = counter(
  "eventbus.connection.late_acks",
  "{acknowledgement}",
  [],
  "Acknowledgements dropped because their channel was gone: the events come again",
  { emitter: "rabbitmq" }
)
export const delayLateness = gauge(
  "eventbus.delay.lateness",
  "s",
  [],
  "How late the last canary came through the delay ladder",
  { emitter: "rabbitmq" }
)

// Handling
export const consumed = counter(
  "messaging.client.consumed.messages",
  "{message}",
  delivered,
  "Deliveries to the subscriber, each time that one is brought"
)
export const processDuration = histogram(
  "messaging.process.duration",
  "s",
  [...delivered, "error.type"],
  "Time that the handler ran",
  { boundaries: seconds }
)
export const outcomes = counter(
  "eventbus.subscriber.outcomes",
  "{event}",
  ["eventbus.subscriber", "eventbus.outcome"],
  "What became of deliveries; one that is retried or postponed comes again"
)
export const redelivered = counter(
  "eventbus.subscriber.redelivered",
  "{event}",
  subscriber,
  "Deliveries that came back unsettled: a process or connection ended, or drained"
)
export const retries = counter(
  "eventbus.subscriber.retries",
  "{retry}",
  subscriber,
  "Failed attempts that will be tried again"
)
export const retryDepth = histogram(
  "eventbus.subscriber.retry_depth",
  "{attempt}",
  subscriber,
  "Which attempt it was that failed and will be tried again",
  { boundaries: attempts }
)
export const deadLettered = counter(
  "eventbus.dead_letters.added",
  "{event}",
  ["eventbus.subscriber", "eventbus.reason"],
  "Events dead-lettered, by reason"
)
export const deadLetters = gauge(
  "eventbus.dead_letters.depth",
  "{event}",
  subscriber,
  "Events in the subscriber's dead-letter queue, looked at every 15 s; each process tells the same"
)
export const undeliverable = gauge(
  "eventbus.undeliverable.depth",
  "{event}",
  [],
  "Delayed events that nobody wanted when they were due, looked at every 15 s"
)
export const lag = gauge(
  "eventbus.subscriber.lag",
  "{event}",
  subscriber,
  "Ready events in the subscriber's queue, looked at every 15 s; each process tells the same"
)
export const consumers = gauge(
  "eventbus.subscriber.consumers",
  "{consumer}",
  subscriber,
  "Consumers of the subscriber's queue, of all processes, looked at every 15 s"
)
export const oldest = gauge(
  "eventbus.subscriber.oldest_age",
  "s",
  subscriber,
  "Age of the oldest event that is delivered and not settled; 0 when there is none"
)
export const idleTime = gauge(
  "eventbus.subscriber.idle_time",
  "s",
  subscriber,
  "How long nothing was settled although events are held or ready, parked ones aside; 0 when there are none"
)
export const inFlight = updowncounter("eventbus.subscriber.in_flight", "{handler}", subscriber, "Handlers running")
export const held = updowncounter(
  "eventbus.subscriber.held",
  "{event}",
  subscriber,
  "Deliveries held, running or waiting"
)
export const lanes = updowncounter(
  "eventbus.subscriber.lanes",
  "{lane}",
  subscriber,
  "Keys of which an event is held; 0 without order"
)
export const parked = updowncounter(
  "eventbus.subscriber.parked",
  "{event}",
  subscriber,
  "Events parked until their key may go on; told by the active process, 0 by the others"
)
export const zombies = updowncounter(
  "eventbus.subscriber.zombies",
  "{handler}",
  subscriber,
  "Handlers that ignore their deadline and their interruption"
)
export const state = updowncounter(
  "eventbus.subscriber.state",
  "{subscriber}",
  ["eventbus.subscriber", "eventbus.state"],
  "1 for the state that the subscriber is in, 0 for the others"
)
export const restarts = counter(
  "eventbus.subscriber.restarts",
  "{restart}",
  subscriber,
  "Times that a subscriber lost its consumer and started again"
)
export const returns = counter(
  "eventbus.subscriber.returns",
  "{event}",
  subscriber,
  "Deliveries given back to the queue unsettled; each costs one of an event's lives"
)

// The process
export const failuresDropped = counter(
  "eventbus.failures.dropped",
  "{failure}",
  [],
  "Entries of the failure stream that a slow reader missed"
)
export const eventLoopLag = gauge(
  "eventbus.event_loop.lag",
  "s",
  [],
  "How late the event loop was at most in 15 s: a handler that computes holds up everybody"
)
export const drainDuration = histogram("eventbus.drain.duration", "s", ["eventbus.outcome"], "Time that a drain took", {
  boundaries: seconds
})
export const cacheReads = counter(
  "eventbus.cache.reads",
  "{read}",
  ["eventbus.result"],
  "Reads of the cache by their result"
)
export const cacheDropped = counter(
  "eventbus.cache.dropped",
  "{event}",
  [],
  "Events that the cache does not remember: its buffer was full, or it refused them"
)
export const cachePending = updowncounter(
  "eventbus.cache.pending",
  "{event}",
  [],
  "Events that wait to be written to the cache"
)
export const health = updowncounter(
  "eventbus.health.state",
  "{check}",
  ["eventbus.check", "eventbus.state"],
  "1 for the state that the check is in, 0 for the others, looked at every 5 s",
  { emitter: "health" }
)
export const exports = counter(
  "eventbus.telemetry.exports",
  "{request}",
  ["eventbus.signal", "eventbus.outcome"],
  "Requests to the collector by outcome; `dropped` means that too many were open",
  { emitter: "otlp" }
)

/** All of them, in the order of this file. */
export { all }
