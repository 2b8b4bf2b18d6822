/**
 * Names of events, subscribers and namespaces on the broker, and topic patterns of RabbitMQ: words between dots, `*`
 * for one word, `#` for any number of words (https://www.rabbitmq.com/tutorials/tutorial-five-javascript).
 */
import { EventDefinitionError } from "./EventError.ts"

const grammar = /^[a-z0-9-]+(?:\.[a-z0-9-]+)*$/
const namespaceGrammar = /^[a-z0-9-]{1,32}$/
const patternGrammar = /^(?:[a-z0-9-]+|\*|#)(?:\.(?:[a-z0-9-]+|\*|#))*$/

/** Longest name in bytes. A routing key of 255 bytes has room for it after 20 words of the delay ladder. */
export const maxNameBytes = 200

/** Why a name is invalid; undefined if it is valid. */
export const nameFault = (name: string): string | undefined =>
  typeof name !== "string" || name.length === 0
    ? "the name is empty"
    : name.length > maxNameBytes
      ? `the name has ${name.length} bytes, the limit is ${maxNameBytes}`
      : grammar.test(name)
        ? undefined
        : `"${printable(name)}" is not a name of the form "words.of-letters.2"`

/** Why a namespace is invalid; undefined if it is valid. */
export const namespaceFault = (namespace: string): string | undefined =>
  !namespaceGrammar.test(namespace)
    ? `"${printable(namespace)}" is not 1 to 32 characters of a-z, 0-9 and -`
    : namespace === "amq"
      ? `"amq" is reserved by the broker`
      : undefined

/** Throws `EventDefinitionError` if `pattern` is not a topic pattern. */
export const checkPattern = (pattern: string): void => {
  if (pattern.length > maxNameBytes || !patternGrammar.test(pattern)) {
    throw new EventDefinitionError({
      event: printable(pattern),
      problem: "this is not a topic pattern",
      remedy: `Use words of a-z, 0-9 and - between dots, "*" for one word, "#" for any number of words, at most ${maxNameBytes} bytes`
    })
  }
}

/** The type of names that a pattern matches. It may be wider than the pattern, never narrower. */
export type NameOf<Pattern extends string> = Pattern extends "#"
  ? string
  : Pattern extends `#.${infer Rest}`
    ? NameOf<Rest> | `${string}.${NameOf<Rest>}`
    : Pattern extends `${infer Word}.${infer Rest}`
      ? `${Word extends "*" ? string : Word}${After<Rest>}`
      : Pattern extends "*"
        ? string
        : Pattern

/** What follows a word, including the dot; nothing if only `#` is left. */
type After<Rest extends string> = Rest extends "#"
  ? "" | `.${string}`
  : Rest extends `#.${infer More}`
    ? After<More> | `.${string}${After<More>}`
    : Rest extends `${infer Word}.${infer More}`
      ? `.${Word extends "*" ? string : Word}${After<More>}`
      : Rest extends "*"
        ? `.${string}`
        : `.${Rest}`

/**
 * Compiles a topic pattern into a predicate over names. The reserved names `bus.*` match only if the pattern itself
 * starts with `bus.`.
 */
export const matcher = (pattern: string): ((name: string) => boolean) => {
  checkPattern(pattern)
  const words = pattern.split(".")
  const reserved = words[0] === "bus"
  return (name) => (reserved || !name.startsWith("bus.")) && topicMatches(words, name.split("."))
}

/** RabbitMQ's topic matching: `*` is exactly one word, `#` is any number of words. */
export const topicMatches = (pattern: ReadonlyArray<string>, key: ReadonlyArray<string>): boolean => {
  // Greedy, returning to the last `#` only: linear in practice, without exponential backtracking on many `#`.
  let p = 0
  let k = 0
  let hash = -1
  let mark = 0
  while (k < key.length) {
    const word = pattern[p]
    if (word === "#") {
      hash = p++
      mark = k
    } else if (word !== undefined && (word === "*" || word === key[k])) {
      p++
      k++
    } else if (hash >= 0) {
      p = hash + 1
      k = ++mark
    } else {
      return false
    }
  }
  while (pattern[p] === "#") p++
  return p === pattern.length
}

/** A name for an error message: control characters and lone surrogates made visible, at most 80 characters. */
export const printable = (text: string): string => {
  const shown = JSON.stringify(String(text).slice(0, 80)).slice(1, -1)
  return text.length > 80 ? `${shown}…` : shown
}
