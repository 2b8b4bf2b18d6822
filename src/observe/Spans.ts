/**
 * Names and attributes of the spans of publishes, attempts and batches, by OpenTelemetry's conventions for RabbitMQ
 * (https://opentelemetry.io/docs/specs/semconv/messaging/rabbitmq/).
 */
import type * as Tracer from "effect/Tracer"
import * as Messaging from "./Messaging.ts"
import * as Trace from "./Trace.ts"

const brokerAttributes = ({ server, system }: Messaging.BrokerIdentity) => ({
  "messaging.system": system,
  ...(server !== undefined && { "server.address": server.address, "server.port": server.port })
})

/** Starts the spans of publishing one event. */
export const publisher = (trace: Trace.Trace, event: string) => {
  const destination = Messaging.destination(trace.broker, event)
  const name = `${Messaging.publishOperation["messaging.operation.name"]} ${destination}`
  const constant = Trace.attributes({
    ...brokerAttributes(trace.broker),
    ...Messaging.publishOperation,
    "messaging.destination.name": destination,
    "messaging.rabbitmq.destination.routing_key": event,
    "eventbus.event": event
  })
  return (
    parent: Tracer.AnySpan | undefined,
    message: { readonly id: string; readonly correlationId: string | undefined }
  ) =>
    trace.start({
      name,
      kind: "producer",
      parent,
      constant,
      varying: [
        ["messaging.message.id", message.id],
        ["messaging.message.conversation_id", message.correlationId]
      ]
    })
}
export type PublisherSpans = ReturnType<typeof publisher>

export interface AttemptSpanOptions {
  readonly event: string
  readonly id: string
  readonly correlationId: string | undefined
  readonly attempt: number
  /** The span of the publish. */
  readonly producer: Tracer.ExternalSpan | undefined
  /** The span of the first attempt as a traceparent, if this is a later one. */
  readonly firstAttempt: string | undefined
}

/** Starts the spans of the attempts of one subscriber. */
export const subscriber = (trace: Trace.Trace, name: string, relation: Trace.TraceRelation = trace.relation) => {
  const byEvent = new Map<string, { readonly name: string; readonly constant: Trace.Attributes }>()
  const prepare = (event: string) => {
    const source = Messaging.source(trace.broker, event, name)
    const prepared = {
      name: `${Messaging.processOperation["messaging.operation.name"]} ${source}`,
      constant: Trace.attributes({
        ...brokerAttributes(trace.broker),
        ...Messaging.processOperation,
        "messaging.destination.name": source,
        "messaging.rabbitmq.destination.routing_key": event,
        "messaging.consumer.group.name": name,
        "eventbus.event": event,
        "eventbus.subscriber": name
      })
    }
    // Bounded: only events with a contract are processed.
    byEvent.set(event, prepared)
    return prepared
  }
  return ({
    attempt,
    correlationId,
    event,
    firstAttempt,
    id,
    producer
  }: AttemptSpanOptions): Tracer.Span | undefined => {
    if (!trace.enabled) return undefined
    const prepared = byEvent.get(event) ?? prepare(event)
    const links: Array<Tracer.SpanLink> = []
    if (relation === "link" && producer !== undefined)
      links.push({ span: producer, attributes: { "eventbus.link": "publish" } })
    const first = firstAttempt === undefined ? undefined : Trace.parseTraceparent(firstAttempt)
    if (first !== undefined) links.push({ span: first, attributes: { "eventbus.link": "first attempt" } })
    return trace.start({
      name: prepared.name,
      kind: "consumer",
      parent: relation === "parent" ? producer : undefined,
      root: relation === "link" || producer === undefined,
      links,
      constant: prepared.constant,
      varying: [
        ["messaging.message.id", id],
        ["messaging.message.conversation_id", correlationId],
        ["eventbus.attempt", attempt]
      ]
    })
  }
}

/** Starts the spans of the batches of one subscriber. Each links to the attempts of its events. */
export const batch = (trace: Trace.Trace, name: string) => {
  const queue = Messaging.queue(trace.broker, name)
  const constant = Trace.attributes({
    ...brokerAttributes(trace.broker),
    ...Messaging.processOperation,
    "messaging.destination.name": queue,
    "messaging.consumer.group.name": name,
    "eventbus.subscriber": name
  })
  return (attempts: ReadonlyArray<Tracer.AnySpan>): Tracer.Span | undefined =>
    trace.start({
      name: `${Messaging.processOperation["messaging.operation.name"]} ${queue}`,
      kind: "consumer",
      parent: undefined,
      root: true,
      links: attempts.map((span) => ({ span, attributes: { "eventbus.link": "attempt" } })),
      constant,
      varying: [["messaging.batch.message_count", attempts.length]]
    })
}
