/**
 * The checks of a JSON Schema that another library wrote, as far as shapes do not have them: lengths and formats of text.
 * Contracts of Effect have these beside their JSON Schema, where lengths count other units.
 */
import * as Bounds from "./Bounds.ts"
import * as Path from "./Path.ts"
import * as Shape from "./Shape.ts"

/** Texts by path, sorted. */
export const of = (schema: Shape.Json): Readonly<Record<string, ReadonlyArray<string>>> => {
  const found = new Map<string, Set<string>>()
  collect(schema, Shape.document(schema), "", found, new Set())
  return Object.fromEntries(
    [...found]
      .map(([path, texts]) => [path, Bounds.tightest([...texts])] as const)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
  )
}

const keywords = ["minLength", "maxLength", "format"]

const collect = (
  schema: unknown,
  document: Shape.Document,
  path: string,
  found: Map<string, Set<string>>,
  above: ReadonlySet<unknown>
): void => {
  const shape = Shape.of(schema, document)
  const { tag } = Shape.variantsOf([shape])
  for (const one of shape) {
    if (one.kind === "string") {
      const texts = keywords.flatMap((name) =>
        one.source[name] === undefined ? [] : [`${name} ${String(one.source[name])}`]
      )
      if (texts.length > 0) found.set(path, new Set([...(found.get(path) ?? []), ...texts]))
    }
    if ((one.kind !== "array" && one.kind !== "object") || above.has(one.source)) continue
    const within = new Set([...above, one.source])
    const at = one.kind === "object" && tag !== undefined ? Path.variant(path, one.literals.get(tag)) : path
    for (const [name, child] of childrenOf(one)) collect(child, document, Path.field(at, name), found, within)
  }
}

const childrenOf = (one: Shape.Fields | Shape.List): ReadonlyArray<readonly [string, unknown]> =>
  one.kind === "array"
    ? [
        ...one.first.map((child, at) => [String(at), child] as const),
        ...(one.items === undefined ? [] : [["*", one.items] as const])
      ]
    : [
        ...Object.entries(one.properties),
        ...[one.others, ...Object.values(one.patterns)].flatMap((child) =>
          child === undefined || child === false ? [] : [["*", child] as const]
        )
      ]
