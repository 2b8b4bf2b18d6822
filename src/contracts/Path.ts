/** Where something is in the data: `items.*.unit`, `verdict<Refused>.reason`; the empty path is the whole. */

export const field = (path: string, name: string): string => (path === "" ? name : `${path}.${name}`)

export const variant = (path: string, tag: unknown): string => `${path}<${String(tag)}>`

/**
 * The field that distinguishes variants: each has it, with one value that no other has. Undefined for less than
 * two variants.
 */
export const tagOf = (variants: ReadonlyArray<ReadonlyMap<string, unknown>>): string | undefined => {
  const [first] = variants
  if (first === undefined || variants.length < 2) return undefined
  const shared = [...first.keys()].filter(
    (name) => new Set(variants.map((one) => one.get(name))).size === variants.length
  )
  const known = shared.filter((name) => variants.every((one) => one.has(name))).toSorted()
  return ["_tag", "type", "kind"].find((name) => known.includes(name)) ?? known[0]
}
