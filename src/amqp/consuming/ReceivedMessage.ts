/** A message as it was received, whether from amqplib or from the bytes of its connection, and the delivery it becomes. */
import type { Message, MessageProperties } from "amqplib"
import * as Predicate from "effect/Predicate"
import type { Delivery } from "../../bus/port/Broker.ts"
import * as ReceivedHeaders from "../../bus/support/ReceivedHeaders.ts"
import type { Body } from "../../event/Body.ts"
import * as Limits from "../../event/Limits.ts"
import * as HeaderTable from "../frames/HeaderTable.ts"
import * as Route from "../publishing/Route.ts"
import * as Topology from "../topology/Topology.ts"

/** A class, like the others of a delivery, for the reason in `PlainRecord`. */
export class ReceivedMessage {
  readonly deliveryTag: number
  readonly redelivered: boolean
  readonly exchange: string
  readonly routingKey: string
  readonly body: Buffer
  readonly properties: ReceivedProperties
  readonly headers: Readonly<Record<string, unknown>>
  /** The size of their table, where it is known. */
  readonly headerBytes: number

  constructor(
    deliveryTag: number,
    redelivered: boolean,
    exchange: string,
    routingKey: string,
    body: Buffer,
    properties: ReceivedProperties,
    headers: Readonly<Record<string, unknown>>,
    headerBytes: number
  ) {
    this.deliveryTag = deliveryTag
    this.redelivered = redelivered
    this.exchange = exchange
    this.routingKey = routingKey
    this.body = body
    this.properties = properties
    this.headers = headers
    this.headerBytes = headerBytes
  }
}

export class ReceivedProperties {
  readonly messageId: string | undefined
  readonly type: string | undefined
  readonly timestamp: number | undefined
  readonly appId: string | undefined
  readonly correlationId: string | undefined
  readonly contentType: string | undefined
  readonly contentEncoding: string | undefined

  constructor(
    messageId: string | undefined,
    type: string | undefined,
    timestamp: number | undefined,
    appId: string | undefined,
    correlationId: string | undefined,
    contentType: string | undefined,
    contentEncoding: string | undefined
  ) {
    this.messageId = messageId
    this.type = type
    this.timestamp = timestamp
    this.appId = appId
    this.correlationId = correlationId
    this.contentType = contentType
    this.contentEncoding = contentEncoding
  }
}

/** Reads a message of amqplib's defensively: its properties and headers are whatever the sender wrote. */
export const ofAmqplib = ({ content, fields, properties }: Message): ReceivedMessage =>
  new ReceivedMessage(
    fields.deliveryTag,
    fields.redelivered,
    fields.exchange,
    fields.routingKey,
    content,
    new ReceivedProperties(
      text(properties.messageId),
      text(properties.type),
      Predicate.isNumber(properties.timestamp) ? millisOf(properties.timestamp) : undefined,
      text(properties.appId),
      text(properties.correlationId),
      text(properties.contentType),
      text(properties.contentEncoding)
    ),
    ownHeaders(properties),
    Number.POSITIVE_INFINITY
  )

const ownHeaders = ({ headers }: MessageProperties): Readonly<Record<string, unknown>> => {
  if (!Predicate.isObjectKeyword(headers)) return HeaderTable.none
  const keys = Object.keys(headers)
  if (keys.length === 0) return HeaderTable.none
  const own: Record<string, unknown> = Object.create(null)
  for (const key of keys) if (key !== "__proto__") own[key] = headers[key]
  return own
}

const text = (value: unknown): string | undefined =>
  // Bytes that are not UTF-8 are read as characters that take more of them, which no copy could carry.
  Predicate.isString(value) ? Limits.shortText(value) : undefined

/** The milliseconds of a timestamp; undefined when it is not a time, such as one that counts nanoseconds. */
export const millisOf = (seconds: number): number | undefined => (seconds <= 8.64e12 ? seconds * 1000 : undefined)

export interface DeliveryOptions {
  readonly namespace: string
  /** Whether the broker counts how often a message was taken. */
  readonly countsAcquired: boolean
  /** Whether it is a dead letter, whose headers the runtime or the broker wrote. */
  readonly isLetter: boolean
  /** Whether deliveries of other systems say how they were routed. Default false. */
  readonly withRoute?: boolean
  readonly reject?: Delivery["reject"]
}

type ToDelivery = (message: ReceivedMessage, ack: () => void, lost: () => boolean) => Delivery

/** Makes deliveries. The headers of everything that the runtime did not send are bounded. */
export const toDelivery = (options: DeliveryOptions): ToDelivery => {
  const make = toDeliveryOfOurs(options)
  if (options.withRoute !== true) return make
  const { namespace } = options
  const events = Topology.events(namespace)
  const origin = Route.origin(namespace)
  return (message, ack, lost) => {
    const { exchange, routingKey } = message
    const delivery = make(message, ack, lost)
    return exchange === events || origin(exchange, routingKey) !== undefined
      ? delivery
      : { ...delivery, route: { exchange, routingKey } }
  }
}

const toDeliveryOfOurs = ({ countsAcquired, isLetter, namespace, reject }: DeliveryOptions): ToDelivery => {
  const events = Topology.events(namespace)
  const origin = Route.origin(namespace)
  return (message: ReceivedMessage, ack: () => void, lost: () => boolean): Delivery => {
    const { body, exchange, headers, properties, redelivered, routingKey } = message
    const isEvent = exchange === events
    const destination = isEvent ? undefined : origin(exchange, routingKey)
    const trusted = destination?.kind === "subscriber"
    const bounded =
      isLetter || trusted || !ReceivedHeaders.mayExceed(message.headerBytes)
        ? undefined
        : ReceivedHeaders.bound(headers)
    return new ReceivedDelivery(
      body,
      properties,
      bounded?.headers ?? headers,
      bounded?.dropped,
      trusted,
      destination?.kind === "event",
      destination?.kind === "subscriber" ? destination.name : undefined,
      redelivered,
      redelivered ? returnsOf(headers, countsAcquired) : 0,
      isEvent ? routingKey : destination?.kind === "event" ? destination.name : "",
      ack,
      message.deliveryTag,
      reject,
      lost
    )
  }
}

class ReceivedDelivery implements Delivery {
  readonly body: Body
  readonly properties: Delivery["properties"]
  readonly headers: Delivery["headers"]
  readonly droppedHeaders: number | undefined
  readonly trusted: boolean
  readonly delayed: boolean
  readonly recipient: string | undefined
  readonly redelivered: boolean
  readonly deliveryCount: number
  readonly routingKey: string
  readonly ack: () => void
  readonly tag: number
  readonly reject: Delivery["reject"]
  readonly lost: () => boolean

  constructor(
    body: Body,
    properties: Delivery["properties"],
    headers: Delivery["headers"],
    droppedHeaders: number | undefined,
    trusted: boolean,
    delayed: boolean,
    recipient: string | undefined,
    redelivered: boolean,
    deliveryCount: number,
    routingKey: string,
    ack: () => void,
    tag: number,
    reject: Delivery["reject"],
    lost: () => boolean
  ) {
    this.body = body
    this.properties = properties
    this.headers = headers
    this.droppedHeaders = droppedHeaders
    this.trusted = trusted
    this.delayed = delayed
    this.recipient = recipient
    this.redelivered = redelivered
    this.deliveryCount = deliveryCount
    this.routingKey = routingKey
    this.ack = ack
    this.tag = tag
    this.reject = reject
    this.lost = lost
  }
}

/**
 * How often a message came back. Publishers can send both headers. The broker overwrites the delivery count on each
 * return, from 4.3 on only after a failure; there the acquired count is its own on each return, and is never the smaller one.
 */
const returnsOf = (headers: ReceivedMessage["headers"], countsAcquired: boolean): number => {
  const failed = headers["x-delivery-count"]
  if (typeof failed !== "number") return 0
  const acquired = countsAcquired ? headers["x-acquired-count"] : undefined
  return typeof acquired === "number" ? Math.min(failed, acquired) : failed
}
