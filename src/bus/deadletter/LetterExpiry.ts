/**
 * The time of an event that expires, in its dead letter. A replay refuses what has expired, since it would only become a dead
 * letter again, and can renew the time. It never removes it: an intermediary may not
 * (https://github.com/cloudevents/spec/blob/main/cloudevents/extensions/expirytime.md).
 */
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import { isDeepStrictEqual } from "node:util"
import * as BinaryMode from "../../event/BinaryMode.ts"
import { type Body, bytesOf, textOf } from "../../event/Body.ts"
import * as Limits from "../../event/Limits.ts"
import * as MediaData from "../../event/MediaData.ts"
import * as WireFormat from "../../event/WireFormat.ts"
import type { Delivery, Headers } from "../port/Broker.ts"

const attribute = "expirytime"

type Message = Pick<Delivery, "body" | "headers" | "properties">

/** Undefined for an event that never expires, and for one that cannot be read. */
export const of = ({ body, headers, properties }: Message): Date | undefined => {
  // Most letters have none, and are not read for that.
  if (!bytesOf(body).includes(attribute) && headerNames(headers).length === 0) return undefined
  return Result.getOrUndefined(WireFormat.parse(body, Limits.defaults, properties, headers))?.expiryTime
}

/** What is different in an event that may be handled until another time. */
export interface Renewed {
  readonly body: Body
  /** These headers have other values. */
  readonly headers: Headers
}

export const renew = ({ body, headers, properties }: Message, expiryTime: Date): Result.Result<Renewed, string> => {
  const text = expiryTime.toISOString()
  if (isBinary(headers, properties.contentType))
    return Result.succeed({ body, headers: Object.fromEntries(headerNames(headers).map((name) => [name, text])) })
  const event: unknown = JSON.parse(textOf(body))
  const renewed = { ...(Predicate.isObject(event) && event), [attribute]: text }
  const written = JSON.stringify(renewed)
  // A number beyond what JavaScript has would become another value.
  return isDeepStrictEqual(JSON.parse(written), renewed)
    ? Result.succeed({ body: written, headers: {} })
    : Result.fail("its time cannot be renewed, because its body has numbers that JavaScript cannot write again")
}

const isBinary = (headers: Delivery["headers"], contentType = ""): boolean =>
  MediaData.mediaTypeOf(contentType) !== WireFormat.contentType && BinaryMode.attributesOf(headers) !== undefined

const headerNames = (headers: Delivery["headers"]): ReadonlyArray<string> =>
  Object.keys(headers).filter((name) => BinaryMode.isAttribute(name) && name.toLowerCase().endsWith(attribute))
