/**
 * What a receiver gets of a stored message: as it would come over the wire. Headers are a copy without
 * a prototype, times are whole seconds, and only what the broker itself knows is believed. The body is
 * shared: nobody writes to it.
 */
import type { Delivery } from "../bus/Broker.ts"
import { MessageProperties } from "../bus/Message.ts"
import type { Body } from "../event/Body.ts"
import type { Stored } from "./MemoryQueue.ts"
import { nameIn } from "./Namespace.ts"

/** Who received it: a consumer or a reader. */
export interface Receiver {
  /** Whether it is gone, and settles nothing any more. */
  readonly lost: () => boolean
  readonly acknowledge: (stored: Stored) => void
}

/** A class and no literal, as `bus/Message` says. */
export class MemoryDelivery implements Delivery {
  readonly body: Body
  readonly properties: Delivery["properties"]
  readonly headers: Delivery["headers"]
  readonly trusted: boolean
  readonly recipient: string | undefined
  readonly redelivered: boolean
  readonly deliveryCount: number
  readonly routingKey: string
  readonly ack: () => void
  readonly lost: () => boolean

  constructor(stored: Stored, receiver: Receiver) {
    const { extra, message, returns } = stored
    const { body, properties, to } = message
    const copy = to._tag === "Subscriber" || to._tag === "Parked"
    this.body = body
    this.properties = new MessageProperties(
      properties.messageId,
      properties.type,
      Math.floor(properties.timestamp / 1000) * 1000,
      properties.appId,
      properties.correlationId,
      properties.contentType
    )
    this.headers = headersOf(message.headers, extra, returns)
    this.trusted = copy
    this.recipient = copy ? nameIn(to) : undefined
    this.redelivered = returns > 0
    this.deliveryCount = returns
    this.routingKey = copy ? "" : nameIn(to)
    this.ack = () => receiver.acknowledge(stored)
    this.lost = receiver.lost
  }
}

/** Nobody writes to it. */
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
