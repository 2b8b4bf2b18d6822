/**
 * CloudEvents in binary mode: attributes are headers with a prefix, and the body is the data
 * (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/amqp-protocol-binding.md#31-binary-content-mode).
 * The prefix is that of AMQP, `cloudEvents:` or `cloudEvents_`, or of a gateway from HTTP or Kafka, `ce-` or `ce_`.
 */
import * as Predicate from "effect/Predicate"
import * as FieldValue from "./FieldValue.ts"

type Headers = Readonly<Record<string, unknown>>

const attributeHeader = /^(cloudevents[:_]|ce[-_])(.+)$/i

/** The attributes in these headers; undefined if they are not those of a CloudEvent. */
export const attributesOf = (headers: Headers): Headers | undefined => {
  let isEvent = false
  // Without a prototype "__proto__" is a name like any other.
  const attributes: Record<string, unknown> = Object.create(null)
  for (const name of Object.keys(headers)) {
    const [, prefix, attribute] = attributeHeader.exec(name.toLowerCase()) ?? []
    if (prefix === undefined || attribute === undefined) continue
    // A short prefix may be in use for something else.
    isEvent ||= attribute === "specversion" || prefix.startsWith("cloudevents")
    attributes[attribute] ??= plain(headers[name])
  }
  return isEvent ? attributes : undefined
}

/** Whether a header is named as an attribute is. */
export const isAttribute = (name: string): boolean => attributeHeader.test(name)

/** The attribute in a header as a plain value; undefined if it is none. Copies cannot carry other kinds of values. */
export const attributeText = (name: string, value: unknown): string | undefined =>
  isAttribute(name) ? FieldValue.text(plain(value)) : undefined

/** AMQP has types for bytes and for times, which some clients use for attributes. */
const plain = (value: unknown): unknown => {
  if (Predicate.isObject(value) && value["!"] === "timestamp" && Predicate.isNumber(value["value"])) {
    const date = new Date(value["value"] * 1000)
    return Number.isNaN(date.getTime()) ? undefined : date.toISOString()
  }
  return FieldValue.headerText(value) ?? value
}
