/** Bounds of lengths, numbers and times, written as `minLength 1`: which of them is the stricter one. */

const directions: Readonly<Record<string, 1 | -1>> = {
  minLength: 1,
  maxLength: -1,
  minimum: 1,
  maximum: -1,
  exclusiveMinimum: 1,
  exclusiveMaximum: -1
}

export const isBound = (name: string): boolean => Object.hasOwn(directions, name)

interface Bound {
  readonly name: string
  readonly direction: 1 | -1
  readonly value: number
  readonly text: string
}

const parse = (text: string): Bound | undefined => {
  const [, name = "", written = ""] = /^(\w+) (\S+)$/.exec(text) ?? []
  const direction = directions[name]
  if (direction === undefined) return undefined
  const value = Number.isNaN(Number(written)) ? Date.parse(written) : Number(written)
  return Number.isNaN(value) ? undefined : { name, direction, value, text }
}

/** Of several bounds of one kind the strictest, and everything that is no bound; sorted. */
export const tightest = (texts: ReadonlyArray<string>): ReadonlyArray<string> => {
  const bounds = new Map<string, Bound>()
  const others: Array<string> = []
  for (const text of texts) {
    const bound = parse(text)
    const known = bound === undefined ? undefined : bounds.get(bound.name)
    if (bound === undefined) others.push(text)
    else if (known === undefined || bound.value * bound.direction > known.value * known.direction)
      bounds.set(bound.name, bound)
  }
  return [...new Set([...others, ...[...bounds.values()].map(({ text }) => text)])].toSorted()
}

/** Those of `reader` that what passed `writer` may fail. */
export const missing = (writer: ReadonlyArray<string>, reader: ReadonlyArray<string>): ReadonlyArray<string> => {
  const given = writer.flatMap((text) => parse(text) ?? [])
  return reader.filter((text) => {
    if (writer.includes(text)) return false
    const asked = parse(text)
    return asked === undefined || !given.some((bound) => implies(bound, asked))
  })
}

const implies = (given: Bound, asked: Bound): boolean => {
  if (subject(given) !== subject(asked)) return false
  const distance = (given.value - asked.value) * asked.direction
  return distance > 0 || (distance === 0 && (isExclusive(given) || !isExclusive(asked)))
}

const isExclusive = ({ name }: Bound): boolean => name.startsWith("exclusive")
/** What is bounded: an excluded bound is one of the same. */
const subject = ({ name }: Bound): string => name.replace(/^exclusive/, "").toLowerCase()
