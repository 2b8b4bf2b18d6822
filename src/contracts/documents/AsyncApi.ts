/**
 * AsyncAPI 3 of contracts and subscribers: a channel for each event (a routing key of the exchange) and for each
 * subscriber (its queue), with bindings for AMQP and the CloudEvents envelope around the data. It is sorted and names no
 * address of a broker, so that it changes with the contracts alone.
 */
import * as Result from "effect/Result"
import * as Event from "../../event/Event.ts"
import * as CloudEvent from "../../event/CloudEvent.ts"
import * as Limits from "../../event/Limits.ts"
import * as WireFormat from "../../event/WireFormat.ts"
import * as Topology from "../../amqp/topology/Topology.ts"
import * as Snapshot from "../Snapshot.ts"
import * as Subscribers from "../Subscribers.ts"
import * as Draft07 from "./Draft07.ts"
import * as Example from "./Example.ts"
import * as Replies from "./Replies.ts"
import * as Wording from "./Wording.ts"

export interface Described {
  readonly title: string
  readonly version: string
  /** First part of the names of exchanges and queues. */
  readonly namespace: string
  readonly events: ReadonlyArray<Event.Any>
  readonly subscribers: ReadonlyArray<Subscribers.Subscriber>
  /** Names of the events that are published here; undefined where all of them may be. */
  readonly publishes: ReadonlyArray<string> | undefined
  /** The same by service, where services are known. */
  readonly publishers: ReadonlyArray<{ readonly service: string; readonly events: ReadonlyArray<string> }>
}

type Json = Readonly<Record<string, unknown>>

export const document = (described: Described): Json => {
  const { namespace, publishes, title, version } = described
  const events = described.events.toSorted((a, b) => (a.name < b.name ? -1 : 1))
  const subscribers = described.subscribers.toSorted((a, b) => (a.name < b.name ? -1 : 1))
  const { events: contracts } = Snapshot.of(events)
  const published = events.filter(({ name }) => publishes?.includes(name) ?? true)
  return {
    asyncapi: "3.1.0",
    info: { title, version, description: `Events of ${title}, as CloudEvents 1.0 over RabbitMQ.` },
    defaultContentType: WireFormat.contentType,
    channels: Object.fromEntries([
      ...events.map((event) => [`event.${event.name}`, eventChannel(namespace, event)]),
      ...events.filter(Event.isRequest).map((request) => [Replies.channelOf(request), Replies.channel(request)]),
      ...subscribers.map((one) => [`subscriber.${one.name}`, queueChannel(namespace, one, events)])
    ]),
    operations: Object.fromEntries([
      ...published.map((event) => [`publish.${event.name}`, publishing(event)]),
      ...subscribers
        .filter((one) => handledBy(one, events).length > 0)
        .map((one) => [`handle.${one.name}`, handling(one, events)])
    ]),
    components: {
      messages: Object.fromEntries([
        ...events.flatMap((event) =>
          Snapshot.versionsOf(event).map((one) => [
            messageOf(event, one.version),
            message(event, one, contracts[event.name], title)
          ])
        ),
        ...events.filter(Event.isRequest).map((request) => [Replies.messageOf(request), Replies.message(request)])
      ]),
      schemas: Object.fromEntries([
        [envelopeName, envelope],
        ...events.filter(Event.isRequest).flatMap(Replies.schemas),
        ...events.flatMap((event) =>
          Snapshot.versionsOf(event).flatMap(({ data, version }) =>
            Object.entries(Draft07.componentsOf(messageOf(event, version), data))
          )
        )
      ])
    }
  }
}

/** As it is committed. */
export const print = (described: Described): string => JSON.stringify(document(described), null, 2)

const messageOf = ({ name }: Event.Any, version: number): string => `${name}.v${version}`
const envelopeName = Replies.envelopeName

/** By event and version. */
const messagesOf = (events: ReadonlyArray<Event.Any>): Json =>
  Object.fromEntries(
    events.flatMap((event) =>
      Snapshot.versionsOf(event).map(({ version }) => [
        messageOf(event, version),
        { $ref: `#/components/messages/${messageOf(event, version)}` }
      ])
    )
  )

const handledBy = (subscriber: Subscribers.Subscriber, events: ReadonlyArray<Event.Any>): ReadonlyArray<Event.Any> =>
  events.filter(({ name }) => Subscribers.of(name, [subscriber]).length > 0)

const bindingVersion = "0.3.0"

const eventChannel = (namespace: string, event: Event.Any): Json => ({
  address: event.name,
  title: event.name,
  description: `The address is the routing key on ${Topology.events(namespace)}.`,
  messages: messagesOf([event]),
  bindings: {
    amqp: {
      is: "routingKey",
      exchange: { name: Topology.events(namespace), type: "topic", durable: true, autoDelete: false },
      bindingVersion
    }
  }
})

const queueChannel = (namespace: string, one: Subscribers.Subscriber, events: ReadonlyArray<Event.Any>): Json => ({
  address: Topology.subscriberQueue(namespace, one.name),
  title: one.name,
  description: `A quorum queue, bound to ${Topology.events(namespace)} with ${one.events.join(", ")}. What cannot be handled goes to ${Topology.deadQueue(namespace, one.name)}.`,
  messages: messagesOf(handledBy(one, events)),
  bindings: {
    amqp: {
      is: "queue",
      queue: {
        name: Topology.subscriberQueue(namespace, one.name),
        durable: true,
        exclusive: false,
        autoDelete: false
      },
      bindingVersion
    }
  }
})

const publishing = (event: Event.Any): Json => ({
  action: "send",
  title: `Publish ${event.name}`,
  channel: { $ref: `#/channels/event.${event.name}` },
  messages: [{ $ref: `#/channels/event.${event.name}/messages/${messageOf(event, event.version)}` }],
  bindings: { amqp: { deliveryMode: 2, timestamp: true, bindingVersion } },
  ...(Event.isRequest(event) && { reply: Replies.operation(event) })
})

const handling = (one: Subscribers.Subscriber, events: ReadonlyArray<Event.Any>): Json => {
  const handled = handledBy(one, events)
  const [first] = handled
  return {
    action: "receive",
    title: `Handle events as ${one.name}`,
    channel: { $ref: `#/channels/subscriber.${one.name}` },
    messages: Object.keys(messagesOf(handled)).map((name) => ({
      $ref: `#/channels/subscriber.${one.name}/messages/${name}`
    })),
    bindings: { amqp: { ack: true, bindingVersion } },
    // Whoever answers takes a single event.
    ...(handled.length === 1 && Event.isRequest(first) && { reply: Replies.operation(first) })
  }
}

type Version = ReturnType<typeof Snapshot.versionsOf>[number]

const message = (event: Event.Any, one: Version, contract: Snapshot.Contract | undefined, title: string): Json => {
  const name = messageOf(event, one.version)
  const description = Wording.descriptionOf(one.data)
  const data = Example.of(one.data, name)
  const subject = contract?.key ?? undefined
  return {
    name: event.name,
    title: `${event.name}, version ${one.version}`,
    ...(description !== undefined && { summary: description }),
    contentType: WireFormat.contentType,
    correlationId: { location: "$message.payload#/correlationid" },
    headers: traceHeaders,
    payload: {
      allOf: [
        { $ref: Draft07.pointerTo(envelopeName) },
        {
          type: "object",
          properties: {
            type: { const: event.name },
            dataschema: { const: CloudEvent.dataSchema(event.name, one.version) },
            ...(subject !== undefined && { subject: { type: "string", description: `The key: ${subject}` } }),
            data: { $ref: Draft07.pointerTo(name) }
          },
          required: subject === undefined ? ["data"] : ["data", "subject"]
        }
      ]
    },
    bindings: { amqp: { messageType: event.name, bindingVersion } },
    ...(data !== undefined && { examples: [exampleOf(event, one, data, title)] }),
    ...(contract !== undefined && { "x-eventbus": about(contract) })
  }
}

/** What AsyncAPI has no words for. */
const about = ({ cache, publishers, sensitive }: Snapshot.Contract): Json => ({
  publishers: Wording.publishers(publishers),
  remembered: Wording.cache(cache),
  ...(sensitive.length > 0 && { sensitive })
})

const exampleOf = (event: Event.Any, { version }: Version, data: unknown, title: string): Json => ({
  name: "generated",
  payload: {
    specversion: "1.0",
    source: title,
    type: event.name,
    datacontenttype: "application/json",
    dataschema: CloudEvent.dataSchema(event.name, version),
    id: "019bc0f5-5a40-7c3e-9d52-0242ac120002",
    time: "2026-01-15T09:30:00.000Z",
    ...(event.declaresKey && { subject: keyOf(event, version, data) }),
    data
  }
})

/** Data of an older version has the key that it has when it is brought up. */
const keyOf = (event: Event.Any, version: number, json: unknown): string => {
  const read = event.dataCodec.decode(version, json)
  return (Result.isSuccess(read) ? event.keyOf(read.success) : undefined) ?? ""
}

const attribute = (description: string): Json => ({
  type: "string",
  minLength: 1,
  maxLength: Limits.maxShortStringBytes,
  description
})

const envelope: Json = {
  title: "CloudEvent",
  description:
    "A CloudEvent 1.0 in structured mode: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md",
  type: "object",
  properties: {
    specversion: { const: "1.0" },
    id: attribute("Unique for its source and type. The library makes a UUID of version 7."),
    source: attribute("The service that published it."),
    type: attribute("The name of the event."),
    time: { type: "string", format: "date-time", description: "When it was published." },
    datacontenttype: { const: "application/json" },
    dataschema: attribute("`urn:event:`, the name of the event, and its version."),
    subject: { type: "string", maxLength: Limits.maxShortStringBytes, description: "The key of the event." },
    correlationid: attribute("Shared by all events that follow from one cause."),
    causationid: attribute("The id of the event that caused it."),
    actor: { type: "string", description: "Who caused it, as the publisher says." },
    actorrole: { type: "string", description: "Their role." },
    actorstatus: { type: "string", description: "Their status." },
    tenant: attribute("Whose it is, where a service works for several customers.")
  },
  required: ["specversion", "id", "source", "type", "time", "datacontenttype", "dataschema", "data"]
}

const traceHeaders: Json = {
  type: "object",
  properties: {
    traceparent: { type: "string", description: "https://www.w3.org/TR/trace-context/" },
    tracestate: { type: "string" },
    baggage: { type: "string", maxLength: Limits.maxBaggageBytes, description: "https://www.w3.org/TR/baggage/" }
  }
}
