/**
 * What a key is made of. A function cannot be compared, so it is called with a stand-in of the data that writes down
 * which fields are read, and puts their names where their values would be.
 */
import * as Predicate from "effect/Predicate"

/** `{courseId}/{studentId}`; behind it the fields that are read and not part of it. */
export const describe = (keyOf: (data: unknown) => string | undefined): string => {
  const reads = new Set<string>()
  let text: string
  try {
    text = String(keyOf(standIn("", reads)))
  } catch {
    return `computed from ${listed(leaves(reads))}`
  }
  const others = leaves(reads).filter((read) => !text.includes(`{${read}`))
  return others.length === 0 ? text : `${text} by ${listed(others)}`
}

const listed = (paths: ReadonlyArray<string>): string => paths.map((path) => `{${path}}`).join(", ")

/** Without the fields that were read on the way to another, and without methods. */
const leaves = (reads: ReadonlySet<string>): ReadonlyArray<string> =>
  [...reads]
    .filter((read) => ![...reads].some((other) => other.startsWith(`${read}.`) || other === `${read}()`))
    .toSorted()

const standIn = (path: string, reads: Set<string>): unknown =>
  new Proxy(() => undefined, {
    get: (_, name) => {
      const text = (): string => `{${path}}`
      if (name === Symbol.toPrimitive || name === "toString" || name === "valueOf" || name === "toJSON") return text
      if (Predicate.isSymbol(name)) return undefined
      const below = path === "" ? name : `${path}.${name}`
      reads.add(below)
      return standIn(below, reads)
    },
    apply: () => {
      reads.add(`${path}()`)
      return standIn(`${path}()`, reads)
    }
  })

/** Whether a description says all there is: fields put together. */
export const isPlain = (description: string): boolean => !/^computed from | by \{|\(\)/.test(description)

/** The key that a plain description gives for data; undefined where a field is no text, number or flag. */
export const evaluate = (description: string, data: unknown): string | undefined => {
  let isWhole = true
  const text = description.replaceAll(/\{([^{}]+)\}/g, (_, path: string) => {
    let value: unknown = data
    for (const name of path.split(".")) value = Predicate.hasProperty(value, name) ? value[name] : undefined
    if (Predicate.isString(value) || Predicate.isNumber(value) || Predicate.isBoolean(value)) return String(value)
    isWhole = false
    return ""
  })
  return isWhole ? text : undefined
}
