/**
 * Every metric of the runtime as data: name, kind, unit (UCUM), description, attributes. Those of an outbox are in
 * OutboxMetrics.ts and RequestMetrics.ts; no other file names a metric: dashboards and alerts are generated from here, and a test compares this
 * file with what a run emits.
 *
 * Names in `messaging.*` and their attributes follow OpenTelemetry's conventions
 * (https://opentelemetry.io/docs/specs/semconv/messaging/messaging-metrics/ and .../rabbitmq/), all others are ours
 * in `eventbus.*`. Attributes are bounded: names of events, subscribers, outcomes and reasons, never an id or a key.
 */
import { collection, type Definition, seconds } from "./MetricDefinition.ts"
import { all as outbox } from "./OutboxMetrics.ts"
import { all as requests } from "./RequestMetrics.ts"

const { all: own, counter, gauge, histogram, updowncounter } = collection()

const attempts = [1, 2, 3, 4, 5, 7, 10, 20, 50, 100, 1000]

const operation = ["messaging.system", "messaging.operation.name", "messaging.operation.type"] as const
const published = [...operation, "messaging.destination.name", "error.type", "eventbus.event"] as const
const subscriber = ["eventbus.subscriber"] as const
const delivered = [...operation, "messaging.destination.name", "messaging.consumer.group.name", ...subscriber] as const

// Publishing
export const sent = counter(
  "messaging.client.sent.messages",
  "{message}",
  published,
  "Events sent to the broker, whatever the outcome"
)
export const sendDuration = histogram(
  "messaging.client.operation.duration",
  "s",
  published,
  "Time from the call of publish to its outcome, for events that were sent",
  { boundaries: seconds }
)
export const publishes = counter(
  "eventbus.publish.outcomes",
  "{event}",
  ["eventbus.event", "eventbus.outcome"],
  "Publishes by outcome, including those refused before anything was sent"
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
  "Time during which the broker blocked publishers because it was out of memory or disk"
)
export const limitInFlight = updowncounter(
  "eventbus.limit.in_flight",
  "{event}",
  ["eventbus.limit"],
  "Events in flight: admitted by the in-flight limit, without an outcome yet"
)
export const limitBytes = updowncounter(
  "eventbus.limit.size",
  "By",
  ["eventbus.limit"],
  "Size of the bodies of all events in flight"
)
export const limitWaiting = updowncounter(
  "eventbus.limit.waiting",
  "{event}",
  ["eventbus.limit"],
  "Events waiting because the in-flight limit is reached, or the broker is away or blocks publishers"
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
  "Connections that were lost and re-established",
  { emitter: "rabbitmq" }
)
export const credentialRenewals = counter(
  "eventbus.connection.credential_renewals",
  "{renewal}",
  ["eventbus.connection", "eventbus.outcome"],
  "Fresh credentials: taken by an open connection, or not to be had or refused there or at a connect",
  { emitter: "rabbitmq" }
)
export const lateAcks = counter(
  "eventbus.connection.late_acks",
  "{acknowledgement}",
  [],
  "Acknowledgements dropped because their channel was closed; the events are redelivered",
  { emitter: "rabbitmq" }
)
export const delayLateness = gauge(
  "eventbus.delay.lateness",
  "s",
  [],
  "How late the last canary message arrived through the delay ladder",
  { emitter: "rabbitmq" }
)

// Handling
export const droppedHeaders = counter(
  "eventbus.subscriber.dropped_headers",
  "{header}",
  subscriber,
  "Headers of received events that were dropped, or baggage that was cut: more than 64, or more than 8 KiB"
)
export const unsigned = counter(
  "eventbus.subscriber.unsigned",
  "{message}",
  subscriber,
  "Copies and delayed events without a valid signature, where a signing secret is set"
)
export const consumed = counter(
  "messaging.client.consumed.messages",
  "{message}",
  delivered,
  "Deliveries to the subscriber, redeliveries included"
)
export const processDuration = histogram(
  "messaging.process.duration",
  "s",
  [...delivered, "error.type"],
  "Run time of the handler",
  { boundaries: seconds }
)
export const outcomes = counter(
  "eventbus.subscriber.outcomes",
  "{event}",
  ["eventbus.subscriber", "eventbus.outcome"],
  "Settled deliveries by outcome; a retried or postponed event is delivered again"
)
export const redelivered = counter(
  "eventbus.subscriber.redelivered",
  "{event}",
  subscriber,
  "Deliveries that came back because a process, a connection or a drain ended without settling them"
)
export const foreignSubjects = counter(
  "eventbus.subscriber.foreign_subjects",
  "{event}",
  subscriber,
  "Deliveries whose `subject` is not the key that their contract computes; the key of the contract counts"
)
export const retries = counter(
  "eventbus.subscriber.retries",
  "{retry}",
  subscriber,
  "Failed attempts that will be retried"
)
export const retryDepth = histogram(
  "eventbus.subscriber.retry_depth",
  "{attempt}",
  subscriber,
  "Number of the failed attempt that will be retried",
  { boundaries: attempts }
)
export const deadLettered = counter(
  "eventbus.dead_letters.added",
  "{event}",
  ["eventbus.subscriber", "eventbus.reason"],
  "Dead-lettered events by reason"
)
export const deadLetters = gauge(
  "eventbus.dead_letters.depth",
  "{event}",
  subscriber,
  "Events in the subscriber's dead-letter queue, measured every 15 s; all processes report the same value"
)
export const undeliverable = gauge(
  "eventbus.undeliverable.depth",
  "{event}",
  [],
  "Delayed events that matched no subscriber when they were due, measured every 15 s"
)
export const lag = gauge(
  "eventbus.subscriber.lag",
  "{event}",
  subscriber,
  "Ready events in the subscriber's queue, measured every 15 s; all processes report the same value"
)
export const consumers = gauge(
  "eventbus.subscriber.consumers",
  "{consumer}",
  subscriber,
  "Consumers of the subscriber's queue in all processes, measured every 15 s"
)
export const oldest = gauge(
  "eventbus.subscriber.oldest_age",
  "s",
  subscriber,
  "Age of the oldest event that is delivered but not settled; 0 if there is none"
)
export const idleTime = gauge(
  "eventbus.subscriber.idle_time",
  "s",
  subscriber,
  "Time since the last settlement while events are held or ready, parked ones not counted; 0 if there are none"
)
export const inFlight = updowncounter("eventbus.subscriber.in_flight", "{handler}", subscriber, "Handlers running")
export const held = updowncounter(
  "eventbus.subscriber.held",
  "{event}",
  subscriber,
  "Deliveries held by the process, running or waiting"
)
export const lanes = updowncounter(
  "eventbus.subscriber.lanes",
  "{lane}",
  subscriber,
  "Keys with at least one held event; 0 without ordering"
)
export const parked = updowncounter(
  "eventbus.subscriber.parked",
  "{event}",
  subscriber,
  "Events parked until their key may continue; reported by the active process, 0 by all others"
)
export const zombies = updowncounter(
  "eventbus.subscriber.zombies",
  "{handler}",
  subscriber,
  "Handlers that ignored both their deadline and their interruption"
)
export const state = updowncounter(
  "eventbus.subscriber.state",
  "{subscriber}",
  ["eventbus.subscriber", "eventbus.state"],
  "1 for the current state of the subscriber, 0 for all others"
)
export const restarts = counter(
  "eventbus.subscriber.restarts",
  "{restart}",
  subscriber,
  "Restarts of the subscriber after it lost its consumer"
)
export const returns = counter(
  "eventbus.subscriber.returns",
  "{event}",
  subscriber,
  "Deliveries returned to the queue unsettled; an event that is returned too often is dead-lettered"
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
  "Longest delay of the event loop in 15 s; a handler that computes delays everything else"
)
export const drainDuration = histogram("eventbus.drain.duration", "s", ["eventbus.outcome"], "Duration of a drain", {
  boundaries: seconds
})
export const cacheReads = counter("eventbus.cache.reads", "{read}", ["eventbus.result"], "Reads of the cache by result")
export const cacheDropped = counter(
  "eventbus.cache.dropped",
  "{event}",
  [],
  "Events that the cache did not store because its buffer was full or it refused them"
)
export const cachePending = updowncounter(
  "eventbus.cache.pending",
  "{event}",
  [],
  "Events waiting to be written to the cache"
)
export const health = updowncounter(
  "eventbus.health.state",
  "{check}",
  ["eventbus.check", "eventbus.state"],
  "1 for the current status of the check, 0 for all others, measured every 5 s",
  { emitter: "health" }
)
export const exports = counter(
  "eventbus.telemetry.exports",
  "{request}",
  ["eventbus.signal", "eventbus.outcome"],
  "Export requests to the collector by outcome; `dropped` means that too many were open",
  { emitter: "otlp" }
)

/** Every metric, in the order of its file. */
export const all: ReadonlyArray<Definition> = [...own, ...requests, ...outbox]
