/**
 * A short text for the data of an event, which differs where two events with one identity differ. It depends neither on the
 * order of fields nor on what a publisher writes anew when it sends an event again, such as its time. 72 bits: enough
 * to find a difference, and too few to find the data.
 */
import { createHash } from "node:crypto"
import * as Predicate from "effect/Predicate"

const length = 12

/** `json` is the data as it was received, whose depth is limited: plain JSON, or bytes. */
export const of = (json: unknown): string => {
  const hash = createHash("sha256")
  if (json instanceof Uint8Array) hash.update("bytes ").update(json)
  else hash.update(canonical(json))
  return hash.digest("base64url").slice(0, length)
}

const canonical = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`
  if (!Predicate.isObject(value)) return JSON.stringify(value) ?? ""
  const fields = Object.keys(value).sort()
  return `{${fields.map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join()}}`
}
