/**
 * What a receiver gets of a stored message: as it would come over the wire. Headers are a copy without
 * a prototype, times are whole seconds, and only what the broker itself knows is believed. The body is
 * shared: nobody writes to it.
 */
import type { Delivery } from "../bus/Broker.ts"
import type { Stored } from "./MemoryQueue.ts"
import { nameIn } from "./Namespace.ts"

export const make = (stored: Stored, lost: () => boolean, ack: () => void): Delivery => {
  const { extra, message, returns } = stored
  const { body, properties, to } = message
  const copy = to._tag === "Subscriber" || to._tag === "Parked"
  return {
    body,
    properties: {
      messageId: properties.messageId,
      type: properties.type,
      timestamp: Math.floor(properties.timestamp / 1000) * 1000,
      appId: properties.appId,
      correlationId: properties.correlationId,
      contentType: properties.contentType
    },
    headers: headersOf(message.headers, extra, returns),
    trusted: copy,
    recipient: copy ? nameIn(to) : undefined,
    redelivered: returns > 0,
    deliveryCount: returns,
    routingKey: copy ? "" : nameIn(to),
    ack,
    lost
  }
}

const headersOf = (
  sent: Readonly<Record<string, unknown>>,
  extra: Readonly<Record<string, unknown>> | undefined,
  returns: number
): Readonly<Record<string, unknown>> => {
  // Without a prototype a key "__proto__" is a key like any other, and it is left out all the same.
  const headers: Record<string, unknown> = Object.create(null)
  for (const name of Object.keys(sent)) if (name !== "__proto__") headers[name] = sent[name]
  if (extra !== undefined) Object.assign(headers, extra)
  if (returns > 0) headers["x-delivery-count"] = returns
  return headers
}
