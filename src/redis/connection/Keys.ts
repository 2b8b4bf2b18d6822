/**
 * The names of all keys in Redis: `<namespace>:{<tag>}:<kind>`. All keys of one script have the same tag, so they lie in
 * one slot of a cluster, while different keys of an event spread over all slots.
 *
 * Parts are percent-encoded, so that no event and no key can name the key of another one, end a tag early or leave the
 * namespace: outside input forges nothing (P15).
 */
import { createHash } from "node:crypto"
import * as Identity from "../../event/Identity.ts"

export interface Keys {
  /** The last known event: `eduflow:{academic.grade.posted/s-1}:last`. */
  readonly last: (event: string, key: string) => string
  /** Past events over all keys: `eduflow:{academic.grade.posted}:history`. */
  readonly history: (event: string) => string
  /** Past events of one key: `eduflow:{academic.grade.posted/s-1}:history`. */
  readonly keyHistory: (event: string, key: string) => string
  /** The claim of an event for a subscriber, or its done mark: `eduflow:{grades/<hash of source, type and id>}:claim`. */
  readonly claim: (subscriber: string, identity: Identity.Identity) => string
  /** Its former name, by the id alone: `eduflow:{grades/<id>}:mark`. */
  readonly formerClaim: (subscriber: string, id: string) => string
  /** One value of a store: `eduflow:{login-codes/u-1}:state`. */
  readonly state: (store: string, key: string) => string
  /** The pattern of all values of a store. */
  readonly states: (store: string) => string
  /** A value of the store without a name: `eduflow:{u-1}:value`. */
  readonly value: (key: string) => string
  /** The pattern of all these values. */
  readonly values: string
  /** The key that `value` made this name from. */
  readonly keyOfValue: (name: string) => string
  /** The beginning of the keys of one of Effect's stores, all in one slot. No encoded part begins with `@`. */
  readonly store: (name: "breaker" | "limit" | "queue") => string
  /** What processes say about themselves, and what operators have paused: `eduflow:{@fleet}:paused`, all in one slot. */
  readonly fleet: { readonly processes: string; readonly seen: string; readonly paused: string }
}

export const make = (namespace: string): Keys => {
  const start = `${encode(namespace)}:{`
  const tagged = (event: string, key: string): string => `${start}${encode(event)}/${encode(key)}}`
  return {
    last: (event, key) => `${tagged(event, key)}:last`,
    history: (event) => `${start}${encode(event)}}:history`,
    keyHistory: (event, key) => `${tagged(event, key)}:history`,
    claim: (subscriber, identity) => `${tagged(subscriber, hashOf(identity))}:claim`,
    formerClaim: (subscriber, id) => `${tagged(subscriber, id)}:mark`,
    state: (store, key) => `${tagged(store, key)}:state`,
    states: (store) => `${start}${encode(store).replaceAll("*", "\\*")}/*}:state`,
    value: (key) => `${start}${encode(key)}}:value`,
    values: `${start}*}:value`,
    keyOfValue: (name) => decode(name.slice(start.length, -"}:value".length)),
    store: (name) => `${start}@${name}}:`,
    fleet: {
      processes: `${start}@fleet}:processes`,
      seen: `${start}@fleet}:seen`,
      paused: `${start}@fleet}:paused`
    }
  }
}

/** SHA-256 in 43 characters: the length of a key does not depend on what a publisher chose. */
const hashOf = (identity: Identity.Identity): string =>
  createHash("sha256").update(Identity.textOf(identity)).digest("base64url")

const plain = /^[A-Za-z0-9._~-]*$/

/** Different texts become different parts, of letters, digits and `-_.!~*'()%`. Never throws. */
const encode = (part: string): string =>
  plain.test(part) ? part : part.isWellFormed() ? encodeURIComponent(part) : encodeBroken(part)

// A lone surrogate has no UTF-8; encodeURIComponent never writes `%u`.
const encodeBroken = (part: string): string => {
  let encoded = ""
  for (const character of part) {
    encoded += character.isWellFormed()
      ? encodeURIComponent(character)
      : `%u${character.charCodeAt(0).toString(16).toUpperCase()}`
  }
  return encoded
}

/** The text of an encoded part. */
const decode = (part: string): string =>
  part
    .split(/(%u[0-9A-F]{4})/)
    .map((piece) =>
      piece.startsWith("%u") ? String.fromCharCode(Number.parseInt(piece.slice(2), 16)) : decodeURIComponent(piece)
    )
    .join("")
