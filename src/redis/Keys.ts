/**
 * The names of everything we keep in Redis: `<namespace>:{<tag>}:<kind>`. What one script touches has
 * one tag, so it lies in one slot of a cluster, while different keys of an event spread over all.
 *
 * Parts are percent-encoded: whatever an event or a key is called, it cannot name another one's key,
 * end a tag early or leave the namespace (P15).
 */

export interface Keys {
  /** The last known event: `eduflow:{academic.grade.posted/s-1}:last`. */
  readonly last: (event: string, key: string) => string
  /** Past events over all keys: `eduflow:{academic.grade.posted}:history`. */
  readonly history: (event: string) => string
  /** Past events of one key: `eduflow:{academic.grade.posted/s-1}:history`. */
  readonly keyHistory: (event: string, key: string) => string
  /** Who handles an event for a subscriber, or that it was handled. */
  readonly mark: (subscriber: string, id: string) => string
  /** One value of a store: `eduflow:{login-codes/u-1}:state`. */
  readonly state: (store: string, key: string) => string
  /** The pattern of all values of a store. */
  readonly states: (store: string) => string
  /** A value of the one store that has no name: `eduflow:{u-1}:value`. */
  readonly value: (key: string) => string
  /** The pattern of all of those. */
  readonly values: string
  /** The key that `value` made this name of. */
  readonly keyOfValue: (name: string) => string
  /** What the keys of one of Effect's stores begin with: all of it is in one slot. No part is encoded like that. */
  readonly store: (name: "breaker" | "limit" | "queue") => string
}

export const make = (namespace: string): Keys => {
  const start = `${encode(namespace)}:{`
  const tagged = (event: string, key: string): string => `${start}${encode(event)}/${encode(key)}}`
  return {
    last: (event, key) => `${tagged(event, key)}:last`,
    history: (event) => `${start}${encode(event)}}:history`,
    keyHistory: (event, key) => `${tagged(event, key)}:history`,
    mark: (subscriber, id) => `${tagged(subscriber, id)}:mark`,
    state: (store, key) => `${tagged(store, key)}:state`,
    states: (store) => `${start}${encode(store).replaceAll("*", "\\*")}/*}:state`,
    value: (key) => `${start}${encode(key)}}:value`,
    values: `${start}*}:value`,
    keyOfValue: (name) => decode(name.slice(start.length, -"}:value".length)),
    store: (name) => `${start}@${name}}:`
  }
}

const plain = /^[A-Za-z0-9._~-]*$/

/** Distinct texts become distinct parts of letters, digits and `-_.!~*'()%`. Never throws. */
const encode = (part: string): string =>
  plain.test(part) ? part : part.isWellFormed() ? encodeURIComponent(part) : encodeBroken(part)

// Half a character has no UTF-8: `%u` is what encodeURIComponent never writes.
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
