/**
 * The mark of a message of another system on its way through ours: how it was routed, and what of it a copy would lose. A copy
 * of it, a dead letter and its replay carry it, so that its codec finds the same message each time.
 */
import * as Predicate from "effect/Predicate"
import * as BinaryMode from "../../event/BinaryMode.ts"
import { headerText, text } from "../../event/FieldValue.ts"
import * as WireFormat from "../../event/WireFormat.ts"
import type { Delivery, Headers, HeaderValue } from "../port/Broker.ts"
import type { ForeignRoute } from "../port/ForeignPlace.ts"
import * as RuntimeHeaders from "./RuntimeHeaders.ts"

const name = "bus-foreign"
/** Most bytes of the headers that copies do not carry by themselves. */
const maxHeaderBytes = 2 * 1024

interface Mark extends ForeignRoute {
  readonly type?: string | undefined
  readonly headers?: Headers | undefined
}

/** The header of a copy of this delivery; none for what is an event of ours. */
export const headersOf = ({ headers, properties, route }: Delivery): Headers =>
  route === undefined ? none : write({ ...route, type: properties.type, headers: lostHeaders(headers) })

/**
 * The same for the replay of a dead letter. One that a queue of RabbitMQ dead-lettered by itself has no mark: its route is what
 * RabbitMQ says of its death.
 */
export const headersOfLetter = ({ headers, properties }: Delivery): Headers => {
  const mark = text(headers[name])
  if (mark !== undefined) return { [name]: mark }
  const route = properties.contentType === WireFormat.contentType ? undefined : deathRoute(headers["x-death"])
  return route === undefined ? none : write({ ...route, type: properties.type, headers: lostHeaders(headers) })
}

const none: Headers = Object.freeze({})

const write = (mark: Mark): Headers => ({ [name]: JSON.stringify(mark) })

/** The delivery as its sender sent it, with its route; the same for an event of ours. Only what the runtime sent is believed. */
export const restored = (delivery: Delivery): Delivery => {
  if (!delivery.trusted) return delivery
  const mark = read(delivery.headers[name])
  if (mark === undefined) return delivery
  const { exchange, headers, routingKey, type } = mark
  return {
    ...delivery,
    properties: { ...delivery.properties, type },
    headers: headers === undefined ? delivery.headers : { ...delivery.headers, ...headers },
    route: { exchange, routingKey }
  }
}

const read = (value: unknown): Mark | undefined => {
  const written = headerText(value)
  if (written === undefined) return undefined
  let parsed: unknown
  try {
    parsed = JSON.parse(written)
  } catch {
    return undefined
  }
  if (!Predicate.isObject(parsed)) return undefined
  const { exchange, headers, routingKey, type } = parsed
  if (typeof exchange !== "string" || typeof routingKey !== "string") return undefined
  return {
    exchange,
    routingKey,
    type: text(type),
    headers: Predicate.isObject(headers) ? plainHeaders(headers) : undefined
  }
}

/** Headers whose values are texts, numbers or booleans, which a copy can carry. */
export const plainHeaders = (headers: Readonly<Record<string, unknown>>): Headers => {
  const plain: Record<string, HeaderValue> = Object.create(null)
  for (const header of Object.keys(headers)) {
    const sent = headers[header]
    const value = RuntimeHeaders.isHeaderValue(sent)
      ? sent
      : (BinaryMode.attributeText(header, sent) ?? headerText(sent))
    if (value !== undefined && header !== "__proto__") plain[header] = value
  }
  return plain
}

/** What RabbitMQ writes, which would say something else of a copy. */
const ofBroker = /^x-(?:(?:first|last)-)?death|^x-(?:delivery|acquired)-count$/

/** Headers that belong to the broker by their name, and that another system uses as its own. */
const lostHeaders = (headers: Readonly<Record<string, unknown>>): Headers | undefined => {
  const lost = Object.entries(plainHeaders(headers)).filter(([header]) => /^x-/i.test(header) && !ofBroker.test(header))
  return lost.length === 0 || Buffer.byteLength(JSON.stringify(lost)) > maxHeaderBytes
    ? undefined
    : Object.fromEntries(lost)
}

/** Where the message was published before it died, by the oldest of its deaths. */
const deathRoute = (deaths: unknown): ForeignRoute | undefined => {
  const first: unknown = Array.isArray(deaths) ? deaths.at(-1) : undefined
  if (!Predicate.isObject(first)) return undefined
  const keys: unknown = first["routing-keys"]
  const [exchange, key] = [headerText(first["exchange"]), headerText(Array.isArray(keys) ? keys[0] : undefined)]
  return exchange === undefined || key === undefined ? undefined : { exchange, routingKey: key }
}
