/**
 * The name of an event among the parked events of its key: deliveries of one event have one name. It has its identity and
 * its body, since an id that is used twice must not make one event drop another. An event without an identity is named by
 * its position, which its copies keep, and by its body.
 */
import { createHash } from "node:crypto"
import { type Body, bytesOf } from "../../event/Body.ts"
import * as Identity from "../../event/Identity.ts"

interface Delivered {
  readonly delivery: { readonly body: Body }
  readonly event: Identity.Identity
}

export const of = (delivered: Delivered, position: number): string =>
  ofOriginal(delivered) ?? `${position} ${bodyOf(delivered)}`

/** The name of a delivery that may be parked already; undefined when only its position could tell. */
export const ofOriginal = (delivered: Delivered): string | undefined =>
  Identity.isKnown(delivered.event) ? `${Identity.textOf(delivered.event)} ${bodyOf(delivered)}` : undefined

/** Copies keep every byte. */
const bodyOf = ({ delivery }: Delivered): string =>
  createHash("sha256").update(bytesOf(delivery.body)).digest("base64url")
