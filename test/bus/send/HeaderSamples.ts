/** Deliveries with given headers, and schemas of what runtime headers carry, for tests of both ends. */
import { Schema } from "effect"
import type { Delivery, Headers } from "../../../src/bus/port/Broker.ts"

export const delivery = (headers: Readonly<Record<string, unknown>>, trusted = true): Delivery => ({
  body: Buffer.from("{}"),
  properties: {
    messageId: "m-1",
    type: "a.b",
    timestamp: 0,
    appId: "test",
    correlationId: undefined,
    contentType: undefined
  },
  headers: Object.assign(Object.create(null), headers),
  trusted,
  delayed: false,
  redelivered: false,
  deliveryCount: 0,
  routingKey: "a.b",
  ack: () => {},
  lost: () => false
})
export const Count = Schema.Literals([0, 1, 2, 7, 100, 2 ** 31, Number.MAX_SAFE_INTEGER])
export const Maybe = Schema.UndefinedOr(Count)
export const PastFailure = Schema.Struct({ at: Count, attempt: Count, tag: Schema.String, message: Schema.String })

export const bytesOf = (headers: Headers): number =>
  Object.entries(headers).reduce(
    (sum, [name, value]) => sum + Buffer.byteLength(name) + (typeof value === "string" ? Buffer.byteLength(value) : 8),
    0
  )
