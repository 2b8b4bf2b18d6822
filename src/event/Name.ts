/**
 * Names and patterns. A name is what an event, a subscriber or a namespace is called on the broker; a
 * pattern is a topic binding of RabbitMQ: words between dots, `*` for one word, `#` for any number.
 */
import { EventDefinitionError } from "./EventError.ts"

const grammar = /^[a-z0-9-]+(?:\.[a-z0-9-]+)*$/
const namespaceGrammar = /^[a-z0-9-]{1,32}$/
const patternGrammar = /^(?:[a-z0-9-]+|\*|#)(?:\.(?:[a-z0-9-]+|\*|#))*$/

/** Longest name in bytes: with 20 ladder words before it, it fits a routing key of 255 bytes. */
export const maxNameBytes = 200

/** Why `name` cannot be used, or undefined when it can. */
export const nameFault = (name: string): string | undefined =>
  typeof name !== "string" || name.length === 0
    ? "a name is empty"
    : name.length > maxNameBytes
      ? `the name has ${name.length} bytes, at most ${maxNameBytes} fit`
      : grammar.test(name)
        ? undefined
        : `"${printable(name)}" is not of the form "words.of-letters.2"`

/** Why `namespace` cannot be used, or undefined when it can. */
export const namespaceFault = (namespace: string): string | undefined =>
  !namespaceGrammar.test(namespace)
    ? `"${printable(namespace)}" is not 1 to 32 of a-z, 0-9 and -`
    : namespace === "amq"
      ? `"amq" belongs to the broker`
      : undefined

/** Throws an `EventDefinitionError` when `pattern` is not a topic pattern. */
export const checkPattern = (pattern: string): void => {
  if (pattern.length > maxNameBytes || !patternGrammar.test(pattern)) {
    throw new EventDefinitionError({
      event: printable(pattern),
      problem: "this is not a pattern",
      remedy: `Use words of a-z, 0-9 and - between dots, "*" for one word, "#" for any number of words, at most ${maxNameBytes} bytes`
    })
  }
}

/** What a name looks like to the compiler when a pattern matches it; wider than the pattern, never narrower. */
export type NameOf<Pattern extends string> = Pattern extends "#"
  ? string
  : Pattern extends `#.${infer Rest}`
    ? NameOf<Rest> | `${string}.${NameOf<Rest>}`
    : Pattern extends `${infer Word}.${infer Rest}`
      ? `${Word extends "*" ? string : Word}${After<Rest>}`
      : Pattern extends "*"
        ? string
        : Pattern

/** What follows a word: its dot included, or nothing where only `#` is left. */
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
 * Compiles a topic pattern into a predicate over names. Patterns that start with a wildcard do not
 * match the reserved `bus.*` names unless they are written `bus.…`.
 */
export const matcher = (pattern: string): ((name: string) => boolean) => {
  checkPattern(pattern)
  const words = pattern.split(".")
  const reserved = words[0] === "bus"
  return (name) => (reserved || !name.startsWith("bus.")) && topicMatches(words, name.split("."))
}

/** RabbitMQ's topic matching: `*` is exactly one word, `#` is any number of words. */
export const topicMatches = (pattern: ReadonlyArray<string>, key: ReadonlyArray<string>): boolean => {
  // Greedy with one point of return: linear in practice, no backtracking explosion on many '#'.
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

/** Control characters and lone surrogates made visible and the length bounded, for error messages. */
export const printable = (text: string): string => {
  const shown = JSON.stringify(String(text).slice(0, 80)).slice(1, -1)
  return text.length > 80 ? `${shown}…` : shown
}
