/**
 * What the errors of options quote. Callers without types pass any value under any name, so the errors name the
 * value that was passed and the option that was probably meant.
 */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import { bounded, quoted } from "../EventError.ts"
import { printable } from "../FieldValue.ts"

/** The name of an option as an error has it. Every text may be one. */
export const named = (name: string): string => (name === "" ? '""' : quoted(name))

/** A value as a message quotes it: short, and never the content of an object. */
export const shown = (value: unknown): string => {
  if (typeof value === "string") return `"${printable(bounded(value, 60))}"`
  if (typeof value === "function") return "a function"
  if (Array.isArray(value)) return "an array"
  return Predicate.isObject(value) ? "an object" : String(value)
}

/** Names are compared up to this length. */
const maxLength = 64

/** What to do about an option that does not exist. */
export const remedyOfUnknown = (name: string, known: Iterable<string>): string => {
  const names = [...known]
  const meant = nearest(name, names, Math.max(2, Math.floor(name.length / 2)))
  return meant === undefined ? `The options are ${names.join(", ")}` : `Did you mean \`${meant}\`?`
}

/** The known name that most likely was meant: the nearest one, if it is at most `bound` edits away. */
export const nearest = (name: string, known: Iterable<string>, bound: number): string | undefined => {
  let best: string | undefined
  let fewest = bound + 1
  // A text from outside may be long, and the distance costs the product of both lengths.
  const wanted = name.slice(0, maxLength).toLowerCase()
  for (const candidate of known) {
    if (Math.abs(candidate.length - name.length) >= fewest) continue
    const edits = distance(wanted, candidate.slice(0, maxLength).toLowerCase())
    if (edits < fewest) {
      fewest = edits
      best = candidate
    }
  }
  return best
}

/** How many letters have to be inserted, deleted or replaced to make one text of the other. */
const distance = (from: string, to: string): number => {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index)
  for (let i = 1; i <= from.length; i++) {
    const next = [i]
    for (let j = 1; j <= to.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[to.length] ?? 0
}

const units = new Set(["weeks", "days", "hours", "minutes", "seconds", "milliseconds", "microseconds", "nanoseconds"])

const isAmount = (value: unknown): boolean => typeof value === "number" && !Number.isNaN(value)

/** A length of time in milliseconds; NaN for a value that is none. */
export const millisOf = (input: unknown): number => {
  // Effect reads NaN, and an object of other units, as zero: a delayed event would be published at once.
  if (Number.isNaN(input) || (Array.isArray(input) && !input.every(isAmount))) return Number.NaN
  if (Predicate.isObject(input) && !Duration.isDuration(input)) {
    const given = Object.keys(input)
    if (given.length === 0 || !given.every((unit) => units.has(unit))) return Number.NaN
    if (!Object.values(input).every(isAmount)) return Number.NaN
  }
  // What is no length of time makes it throw, which the Option takes.
  return Option.match(Duration.fromInput(input as Duration.Input), {
    onNone: () => Number.NaN,
    onSome: Duration.toMillis
  })
}
