/** A message as it was received, whether from amqplib or from the bytes of its connection, and the delivery it becomes. */
import type { Message, MessageProperties } from "amqplib"
import * as Predicate from "effect/Predicate"
import type { Delivery } from "../../bus/port/Broker.ts"
import * as ReceivedHeaders from "../../bus/support/ReceivedHeaders.ts"
import * as Limits from "../../event/Limits.ts"
import * as HeaderTable from "../frames/HeaderTable.ts"
import * as Route from "../publishing/Route.ts"
import * as Topology from "../topology/Topology.ts"

export interface ReceivedMessage {
  readonly deliveryTag: number
  readonly redelivered: boolean
  readonly exchange: string
  readonly routingKey: string
  readonly body: Buffer
  readonly properties: Delivery["properties"]
  readonly headers: Readonly<Record<string, unknown>>
  /** The size of their table, where it is known. */
  readonly headerBytes: number
}

/** Reads a message of amqplib's defensively: its properties and headers are whatever the sender wrote. */
export const ofAmqplib = ({ content, fields, properties }: Message): ReceivedMessage => ({
  deliveryTag: fields.deliveryTag,
  redelivered: fields.redelivered,
  exchange: fields.exchange,
  routingKey: fields.routingKey,
  body: content,
  properties: {
    messageId: text(properties.messageId),
    type: text(properties.type),
    timestamp: Predicate.isNumber(properties.timestamp) ? millisOf(properties.timestamp) : undefined,
    appId: text(properties.appId),
    correlationId: text(properties.correlationId),
    contentType: text(properties.contentType),
    contentEncoding: text(properties.contentEncoding)
  },
  headers: ownHeaders(properties),
  headerBytes: Number.POSITIVE_INFINITY
})

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
  readonly reject?: Delivery["reject"]
}

/** Makes deliveries. The headers of everything that the runtime did not send are bounded. */
export const toDelivery = ({ countsAcquired, isLetter, namespace, reject }: DeliveryOptions) => {
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
    return {
      body,
      properties,
      headers: bounded?.headers ?? headers,
      droppedHeaders: bounded?.dropped,
      trusted,
      delayed: destination?.kind === "event",
      recipient: destination?.kind === "subscriber" ? destination.name : undefined,
      redelivered,
      deliveryCount: redelivered ? returnsOf(headers, countsAcquired) : 0,
      routingKey: isEvent ? routingKey : destination?.kind === "event" ? destination.name : "",
      ack,
      tag: message.deliveryTag,
      reject,
      lost
    }
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
