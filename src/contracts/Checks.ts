/**
 * The checks of a schema that its JSON Schema does not have, or has only nearly: lengths of text, patterns with flags,
 * bounds of times, checks of the user, and that a text has to be read as something else.
 */
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import type * as SchemaAST from "effect/SchemaAST"
import type { DataSchema } from "../event/standard/StandardSchema.ts"
import * as Bounds from "./Bounds.ts"
import * as Path from "./Path.ts"

/** Texts by path, sorted. */
export const of = (schema: DataSchema): Readonly<Record<string, ReadonlyArray<string>>> => {
  const found = new Map<string, Set<string>>()
  collect(Schema.toCodecJson(schema).ast, "", found, new Set())
  return Object.fromEntries(
    [...found]
      .filter(([, texts]) => texts.size > 0)
      .map(([path, texts]) => [path, Bounds.tightest([...texts])] as const)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
  )
}

const collect = (
  node: SchemaAST.AST,
  path: string,
  found: Map<string, Set<string>>,
  above: Set<SchemaAST.AST>
): void => {
  if (above.has(node)) return
  above.add(node)
  const texts = found.get(path) ?? new Set<string>()
  found.set(path, texts)
  for (const text of ownTexts(node)) texts.add(text)
  for (const link of node.encoding ?? []) collect(link.to, path, found, above)
  for (const [below, child] of childrenOf(node, path)) collect(child, below, found, above)
  above.delete(node)
}

const childrenOf = (node: SchemaAST.AST, path: string): ReadonlyArray<readonly [string, SchemaAST.AST]> => {
  switch (node._tag) {
    case "Objects":
      return [
        ...node.propertySignatures.map(({ name, type }) => [Path.field(path, String(name)), type] as const),
        ...node.indexSignatures.map(({ type }) => [Path.field(path, "*"), type] as const)
      ]
    case "Arrays":
      return [
        ...node.elements.map((type, at) => [Path.field(path, isRepeated(node, at) ? "*" : String(at)), type] as const),
        ...node.rest.map((type) => [Path.field(path, "*"), type] as const)
      ]
    case "Union": {
      const tag = Path.tagOf(node.types.flatMap(literalFields))
      return node.types.map((type) => {
        const [fields] = literalFields(type)
        return [tag === undefined || fields === undefined ? path : Path.variant(path, fields.get(tag)), type] as const
      })
    }
    case "Suspend":
      return [[path, node.thunk()]]
    case "Declaration":
      // Of a class the fields are those that it is encoded to.
      return node.encoding === undefined ? node.typeParameters.map((type) => [path, type] as const) : []
    default:
      return []
  }
}

/** The first elements of a list that is not empty are as the others. */
const isRepeated = ({ elements, rest }: SchemaAST.Arrays, at: number): boolean =>
  rest.length === 1 && elements.slice(at).every((element) => element === rest[0])

/** The fields of an object that can have one value only; nothing if it is no object. */
const literalFields = (node: SchemaAST.AST): ReadonlyArray<ReadonlyMap<string, unknown>> => {
  const last = node.encoding?.at(-1)
  if (last !== undefined) return literalFields(last.to)
  if (node._tag === "Suspend") return literalFields(node.thunk())
  if (node._tag !== "Objects") return []
  return [
    new Map(
      node.propertySignatures.flatMap(({ name, type }) =>
        type._tag === "Literal" ? [[String(name), type.literal] as const] : []
      )
    )
  ]
}

const ownTexts = (node: SchemaAST.AST): ReadonlyArray<string> => {
  const isEncoded = node.encoding !== undefined
  const texts = filtersOf(node.checks ?? []).flatMap((filter) =>
    isEncoded || !isExact(filter, node._tag) ? textsOf(filter) : []
  )
  const reading = readingOf(node)
  return reading === undefined ? texts : [...texts, reading]
}

const filtersOf = (checks: ReadonlyArray<SchemaAST.Check<never>>): ReadonlyArray<SchemaAST.Filter<never>> =>
  checks.flatMap((check) => (check._tag === "FilterGroup" ? filtersOf(check.checks) : [check]))

const jsonTypes: Readonly<Record<string, "string" | "number" | "array" | "object">> = {
  String: "string",
  TemplateLiteral: "string",
  Number: "number",
  Arrays: "array",
  Objects: "object"
}

/** Whether JSON Schema says the same. */
const isExact = ({ annotations }: SchemaAST.Filter<never>, tag: string): boolean => {
  const compile: unknown = annotations?.["toJsonSchema"]
  if (!Predicate.isFunction(compile)) return false
  const fragment: unknown = compile({ type: jsonTypes[tag], schemas: [] })
  if (!Predicate.isObject(fragment) || Array.isArray(fragment)) return false
  // Lengths count other units there, so all of them stand here.
  return Object.keys(fragment).some((keyword) => !/^(?:min|max)Length$/.test(keyword))
}

const textsOf = ({ annotations }: SchemaAST.Filter<never>): ReadonlyArray<string> => {
  const representation: unknown = annotations?.["representation"]
  if (Predicate.hasProperty(representation, "id")) {
    const id = String(representation.id).replace(/^.*\//, "")
    const payload = Predicate.hasProperty(representation, "payload") ? representation.payload : undefined
    if (id === "isPattern" && Predicate.hasProperty(payload, "source") && Predicate.hasProperty(payload, "flags"))
      return [`pattern /${String(payload.source)}/${String(payload.flags)}`]
    if (Predicate.isObject(payload) && Object.keys(payload).every(Bounds.isBound))
      return Object.entries(payload).map(([bound, value]) => `${bound} ${String(value)}`)
    return [payload === undefined || payload === null ? id : `${id} ${JSON.stringify(payload)}`]
  }
  return [typeof annotations?.expected === "string" ? annotations.expected : "a check without a description"]
}

/** What a text on the wire has to be read as. */
const readingOf = (node: SchemaAST.AST): string | undefined => {
  const last = node.encoding?.at(-1)
  if (last === undefined || last.to._tag !== "String" || node._tag === "String") return undefined
  const representation: unknown = node.annotations?.["representation"]
  const id = Predicate.hasProperty(representation, "id") ? String(representation.id).replace(/^.*\//, "") : node._tag
  // Any text can be hidden.
  return id === "Redacted" ? undefined : `text of a ${id}`
}
