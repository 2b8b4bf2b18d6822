/**
 * What the spans of a publish and of an attempt are called and tell, by OpenTelemetry's conventions for
 * RabbitMQ (https://opentelemetry.io/docs/specs/semconv/messaging/rabbitmq/).
 */
import type { Tracer } from "effect"
import * as Messaging from "./Messaging.ts"
import * as Trace from "./Trace.ts"

const everywhere = ({ server, system }: Messaging.Place) => ({
  "messaging.system": system,
  ...(server !== undefined && { "server.address": server.address, "server.port": server.port })
})

/** Spans of publishing one event. */
export const publisher = (trace: Trace.Trace, event: string) => {
  const destination = Messaging.destination(trace.place, event)
  const name = `${Messaging.publishing["messaging.operation.name"]} ${destination}`
  const fixed = Trace.attributes({
    ...everywhere(trace.place),
    ...Messaging.publishing,
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
      fixed,
      own: [
        ["messaging.message.id", message.id],
        ["messaging.message.conversation_id", message.correlationId]
      ]
    })
}
export type PublisherSpans = ReturnType<typeof publisher>

export interface Processed {
  readonly event: string
  readonly id: string
  readonly correlationId: string | undefined
  readonly attempt: number
  /** The span of the publish. */
  readonly producer: Tracer.ExternalSpan | undefined
  /** The span of the first attempt, by name, where this is another one. */
  readonly first: string | undefined
}

/** Spans of the attempts of one subscriber. */
export const subscriber = (trace: Trace.Trace, name: string, relation: Trace.TraceRelation = trace.relation) => {
  const known = new Map<string, { readonly name: string; readonly fixed: Trace.Attributes }>()
  const prepare = (event: string) => {
    const source = Messaging.source(trace.place, event, name)
    const prepared = {
      name: `${Messaging.processing["messaging.operation.name"]} ${source}`,
      fixed: Trace.attributes({
        ...everywhere(trace.place),
        ...Messaging.processing,
        "messaging.destination.name": source,
        "messaging.rabbitmq.destination.routing_key": event,
        "messaging.consumer.group.name": name,
        "eventbus.event": event,
        "eventbus.subscriber": name
      })
    }
    // What is processed has a contract: there are only so many.
    known.set(event, prepared)
    return prepared
  }
  return ({ attempt, correlationId, event, first, id, producer }: Processed): Tracer.Span | undefined => {
    if (!trace.enabled) return undefined
    const prepared = known.get(event) ?? prepare(event)
    const links: Array<Tracer.SpanLink> = []
    if (relation === "link" && producer !== undefined)
      links.push({ span: producer, attributes: { "eventbus.link": "publish" } })
    const before = first === undefined ? undefined : Trace.named(first)
    if (before !== undefined) links.push({ span: before, attributes: { "eventbus.link": "first attempt" } })
    return trace.start({
      name: prepared.name,
      kind: "consumer",
      parent: relation === "parent" ? producer : undefined,
      root: relation === "link" || producer === undefined,
      links,
      fixed: prepared.fixed,
      own: [
        ["messaging.message.id", id],
        ["messaging.message.conversation_id", correlationId],
        ["eventbus.attempt", attempt]
      ]
    })
  }
}

/** Spans of the batches of one subscriber: each links to the attempts of its events, of which it is a part. */
export const batch = (trace: Trace.Trace, name: string) => {
  const waiting = Messaging.queue(trace.place, name)
  const fixed = Trace.attributes({
    ...everywhere(trace.place),
    ...Messaging.processing,
    "messaging.destination.name": waiting,
    "messaging.consumer.group.name": name,
    "eventbus.subscriber": name
  })
  return (attempts: ReadonlyArray<Tracer.AnySpan>): Tracer.Span | undefined =>
    trace.start({
      name: `${Messaging.processing["messaging.operation.name"]} ${waiting}`,
      kind: "consumer",
      parent: undefined,
      root: true,
      links: attempts.map((span) => ({ span, attributes: { "eventbus.link": "attempt" } })),
      fixed,
      own: [["messaging.batch.message_count", attempts.length]]
    })
}
