/**
 * A stored message as a receiver gets it, equal to one that came over a network: headers are a copy without a prototype,
 * times are whole seconds, and only the broker's own facts are trusted. The body is shared: nobody writes to it.
 */
import type { Delivery } from "../bus/port/Broker.ts"
import { MessageProperties } from "../bus/port/OutgoingMessage.ts"
import * as ReceivedHeaders from "../bus/support/ReceivedHeaders.ts"
import type { Body } from "../event/Body.ts"
import type { Stored } from "./MemoryQueue.ts"
import { nameIn } from "./Namespace.ts"

/** The consumer or reader that received it. */
export interface Receiver {
  /** Whether it has ended and settles nothing any more. */
  readonly lost: () => boolean
  readonly acknowledge: (stored: Stored) => void
  readonly reject?: Delivery["reject"]
}

/** A class and not a literal: see bus/port/OutgoingMessage.ts. */
export class MemoryDelivery implements Delivery {
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

  constructor(stored: Stored, receiver: Receiver) {
    const { extra, message, returns } = stored
    const { body, properties, to } = message
    const copy = to._tag === "Subscriber" || to._tag === "Parked"
    this.body = body
    const plain = new MessageProperties(
      properties.messageId,
      properties.type,
      Math.floor(properties.timestamp / 1000) * 1000,
      properties.appId,
      properties.correlationId,
      properties.contentType
    )
    const { contentEncoding } = properties
    this.properties = contentEncoding === undefined ? plain : { ...plain, contentEncoding }
    const headers = headersOf(message.headers, extra, returns)
    const isSentByOthers = to._tag === "Event" || to._tag === "DelayedEvent" || to._tag === "Foreign"
    const bounded = isSentByOthers ? ReceivedHeaders.bound(headers) : undefined
    this.headers = bounded?.headers ?? headers
    this.droppedHeaders = bounded?.dropped
    this.trusted = copy
    this.delayed = to._tag === "DelayedEvent"
    this.recipient = to._tag === "Subscriber" || to._tag === "Parked" ? nameIn(to) : undefined
    this.redelivered = returns > 0
    this.deliveryCount = returns
    this.routingKey = to._tag === "Event" || to._tag === "DelayedEvent" ? to.name : ""
    this.ack = () => receiver.acknowledge(stored)
    this.tag = stored.position
    this.reject = receiver.reject
    this.lost = receiver.lost
  }
}

/** Shared, and never written to. */
const noHeaders: Readonly<Record<string, unknown>> = Object.freeze(Object.create(null))

const headersOf = (
  sent: Readonly<Record<string, unknown>>,
  extra: Readonly<Record<string, unknown>> | undefined,
  returns: number
): Readonly<Record<string, unknown>> => {
  const names = Object.keys(sent)
  if (names.length === 0 && extra === undefined && returns === 0) return noHeaders
  // Without a prototype a key "__proto__" is a key like any other, and it is left out all the same.
  const headers: Record<string, unknown> = Object.create(null)
  for (const name of names) if (name !== "__proto__") headers[name] = sent[name]
  if (extra !== undefined) Object.assign(headers, extra)
  if (returns > 0) headers["x-delivery-count"] = returns
  return headers
}
