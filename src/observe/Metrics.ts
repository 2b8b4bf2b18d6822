/**
 * Every metric of the runtime, with its unit and attributes. Names in `messaging.*` follow
 * OpenTelemetry's messaging conventions
 * (https://opentelemetry.io/docs/specs/semconv/messaging/messaging-metrics/), the rest is ours under
 * `eventbus.*`. Attributes are bounded: event, subscriber, outcome, reason; never an id or a key.
 *
 * Attributes are bound once per contract or subscriber: binding costs a microsecond, updating a
 * bound metric a tenth of that.
 */
import { type Context, Metric } from "effect"

const seconds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300]

export const sent = Metric.counter("messaging.client.sent.messages", {
  description: "Publishes by outcome: confirmed, unrouted or the reason of the failure",
  incremental: true
})
export const sendDuration = Metric.histogram("messaging.client.operation.duration", {
  description: "Seconds from the call of publish to its outcome",
  boundaries: seconds
})
export const consumed = Metric.counter("messaging.client.consumed.messages", {
  description: "Deliveries settled, by outcome: handled, retried, dead-lettered, postponed, skipped",
  incremental: true
})
export const processDuration = Metric.histogram("messaging.process.duration", {
  description: "Seconds that a handler ran",
  boundaries: seconds
})
export const doorInFlight = Metric.gauge("eventbus.door.in-flight", {
  description: "Events between the door and their outcome"
})
export const doorBytes = Metric.gauge("eventbus.door.bytes", {
  description: "Bytes between the door and their outcome"
})
export const resent = Metric.counter("eventbus.publish.resent", {
  description: "Sends repeated after a nack or a lost confirm",
  incremental: true
})
export const deadLettered = Metric.counter("eventbus.dead-letters", {
  description: "Events dead-lettered, by reason",
  incremental: true
})
export const retries = Metric.counter("eventbus.retries", {
  description: "Failed attempts that will be tried again",
  incremental: true
})
export const restarts = Metric.counter("eventbus.subscriber.restarts", {
  description: "Times that a subscriber lost its consumer and started again",
  incremental: true
})
export const returns = Metric.counter("eventbus.consumer.returns", {
  description: "Deliveries given back to the queue unsettled; each costs one of an event's lives",
  incremental: true
})
export const zombies = Metric.gauge("eventbus.subscriber.zombies", {
  description: "Handlers that ignore their deadline"
})
export const inFlight = Metric.gauge("eventbus.subscriber.in-flight", { description: "Handlers running" })
export const held = Metric.gauge("eventbus.subscriber.held", { description: "Deliveries held, running or waiting" })
export const lag = Metric.gauge("eventbus.subscriber.lag", { description: "Ready events in the subscriber's queue" })
export const failuresDropped = Metric.counter("eventbus.failures.dropped", {
  description: "Entries of the failure stream that a slow reader missed",
  incremental: true
})
export const cacheReads = Metric.counter("eventbus.cache.reads", {
  description: "Questions to the cache, by outcome: hit, miss, failed",
  incremental: true
})
export const cacheDropped = Metric.counter("eventbus.cache.dropped", {
  description: "Events that the cache never got: its buffer was full, it refused them, or the process ended",
  incremental: true
})
export const eventLoopLag = Metric.gauge("eventbus.event-loop.lag", {
  description: "Seconds that the event loop was late at most in 15 seconds: a handler that computes holds up everybody"
})
export const delayLateness = Metric.gauge("eventbus.delay.lateness", {
  description: "Seconds that the last canary came late through the delay ladder"
})

const system = { "messaging.system": "rabbitmq" }

/** A metric whose attributes and registry are settled: updating it is one call. */
export interface Bound {
  readonly update: (value: number) => void
}

export const bind = (
  metric: Metric.Metric<number, unknown>,
  context: Context.Context<never>,
  attributes: Readonly<Record<string, string>>
): Bound => {
  const bound = Metric.withAttributes(metric, attributes)
  return { update: (value) => bound.updateUnsafe(value, context) }
}

/** Binds by an attribute whose values are few and known late, such as an outcome. */
export const bindBy = (
  metric: Metric.Metric<number, unknown>,
  context: Context.Context<never>,
  attributes: Readonly<Record<string, string>>,
  varying: string
): ((value: string) => Bound) => {
  const known = new Map<string, Bound>()
  return (value) => {
    let found = known.get(value)
    if (found === undefined) {
      found = bind(metric, context, { ...attributes, [varying]: value })
      known.set(value, found)
    }
    return found
  }
}

/** Metrics of publishing one event. */
export const publisher = (event: string, context: Context.Context<never>) => {
  const attributes = { ...system, "messaging.operation.name": "publish", "messaging.destination.name": event }
  return {
    outcome: bindBy(sent, context, attributes, "eventbus.outcome"),
    duration: bind(sendDuration, context, attributes)
  }
}
export type PublisherMetrics = ReturnType<typeof publisher>

/** Metrics of one subscriber. */
export const subscriber = (name: string, context: Context.Context<never>) => {
  const group = { ...system, "messaging.consumer.group.name": name }
  const own = { "eventbus.subscriber": name }
  return {
    outcome: bindBy(consumed, context, { ...group, "messaging.operation.name": "process" }, "eventbus.outcome"),
    duration: bind(processDuration, context, { ...group, "messaging.operation.name": "process" }),
    deadLettered: bindBy(deadLettered, context, own, "eventbus.reason"),
    retries: bind(retries, context, own),
    restarts: bind(restarts, context, own),
    returns: bind(returns, context, own),
    zombies: bind(zombies, context, own),
    inFlight: bind(inFlight, context, own),
    held: bind(held, context, own),
    lag: bind(lag, context, own)
  }
}
export type SubscriberMetrics = ReturnType<typeof subscriber>
