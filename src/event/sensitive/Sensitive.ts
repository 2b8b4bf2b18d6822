/**
 * Marks fields whose values must not appear in logs, spans, metrics, dead-letter headers or errors. The annotation
 * is part of the schema, so it is written once, where the field is defined.
 */
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import type * as Schema from "effect/Schema"
import type * as SchemaAST from "effect/SchemaAST"
import type { Secrets } from "./Secrets.ts"

const key = "eduflow/sensitive"

/**
 * Marks the values of a schema as sensitive.
 *
 * @example
 * ```ts
 * import { Event, sensitive } from "@eduflow/events"
 * import { Schema } from "effect"
 *
 * export const Registered = Event.make("user.account.registered", {
 *   version: 1,
 *   data: Schema.Struct({ userId: Schema.String, email: sensitive(Schema.String) })
 * })
 * ```
 */
export const sensitive = <S extends Schema.Top>(schema: S): S["Rebuild"] => schema.annotate({ [key]: true })

// An annotation is attached to the last check at that point; checks that are added later do not undo it.
const isMarked = (node: SchemaAST.AST): boolean =>
  node.annotations?.[key] === true || (node.checks?.some((check) => check.annotations?.[key] === true) ?? false)

/** `Schema.Redacted` says by itself that its value is secret; a template with a sensitive part is sensitive as a whole. */
const isSensitive = (node: SchemaAST.AST): boolean =>
  isMarked(node) || isRedacted(node) || (node._tag === "TemplateLiteral" && node.parts.some(isSensitive))

const isRedacted = ({ annotations }: SchemaAST.AST): boolean =>
  Predicate.hasProperty(annotations?.["representation"], "id") &&
  annotations["representation"].id === "effect/schema/Redacted"

const keys = new Set<string>()
/**
 * The names of all sensitive fields in the contracts of this process. Logged values have lost their schema, but still
 * have their names.
 */
export const sensitiveKeys: ReadonlySet<string> = keys

/** What is sensitive in the data of a schema. */
export interface SensitiveSchema {
  readonly paths: ReadonlyArray<ReadonlyArray<string>>
  /** The names of all fields. Another key of a sensitive value is data. */
  readonly names: ReadonlySet<string>
  /** The fixed parts of template literals: what is between them may be sensitive by itself. */
  readonly literals: ReadonlyArray<string>
}

export const ofSchema = (ast: SchemaAST.AST): SensitiveSchema => {
  const paths = sensitivePaths(ast)
  const names = new Set<string>()
  const literals = new Set<string>()
  const seen = new Set<SchemaAST.AST>()
  const visit = (node: SchemaAST.AST): void => {
    if (seen.has(node)) return
    seen.add(node)
    if (node._tag === "TemplateLiteral" && isSensitive(node))
      for (const part of node.parts)
        if (part._tag === "Literal" && part.literal !== "") literals.add(String(part.literal))
    if (node._tag === "Objects") for (const { name } of node.propertySignatures) names.add(String(name))
    for (const below of childrenOf(node)) visit(below)
  }
  if (paths.length > 0) visit(ast)
  return { paths, names, literals: [...literals] }
}

/** What is sensitive by a list of paths, such as `items.*.token`. Below one, the keys of objects are data. */
export const ofPaths = (texts: ReadonlyArray<string>): SensitiveSchema => {
  const paths = texts.map((text) => text.split("."))
  addKeys(paths)
  return { paths, names: new Set(paths.flat()), literals: [] }
}

/** What is sensitive in any of these. */
export const union = (all: ReadonlyArray<SensitiveSchema>): SensitiveSchema => ({
  paths: all.flatMap(({ paths }) => paths),
  names: new Set(all.flatMap(({ names }) => [...names])),
  literals: all.flatMap(({ literals }) => literals)
})

/** The schemas that a schema is made of, and those that it is encoded to. */
export const childrenOf = (node: SchemaAST.AST): ReadonlyArray<SchemaAST.AST> => {
  const encoded = (node.encoding ?? []).map(({ to }) => to)
  switch (node._tag) {
    case "Objects":
      return [
        ...encoded,
        ...node.propertySignatures.map(({ type }) => type),
        ...node.indexSignatures.map(({ type }) => type)
      ]
    case "Arrays":
      return [...encoded, ...node.elements, ...node.rest]
    case "Union":
      return [...encoded, ...node.types]
    case "Suspend":
      return [...encoded, node.thunk()]
    case "Declaration":
      return [...encoded, ...node.typeParameters]
    default:
      return encoded
  }
}

/**
 * The paths of the sensitive parts of a schema; `*` stands for any index or key. Everything below a sensitive part is
 * sensitive as well. Where paths are not known (in a recursion, a class, an Option, a map), everything is treated as
 * sensitive if anything is.
 */
export const sensitivePaths = (ast: SchemaAST.AST): ReadonlyArray<ReadonlyArray<string>> => {
  const found: Array<ReadonlyArray<string>> = []
  const recursions: Array<ReadonlyArray<string>> = []
  const seen = new Set<SchemaAST.AST>()
  const visit = (node: SchemaAST.AST, path: ReadonlyArray<string>): void => {
    if (isSensitive(node)) return void found.push(path)
    if (seen.has(node) || path.length > 16) return void recursions.push(path)
    seen.add(node)
    for (const link of node.encoding ?? []) visit(link.to, path)
    switch (node._tag) {
      case "Objects": {
        for (const property of node.propertySignatures) visit(property.type, [...path, String(property.name)])
        for (const index of node.indexSignatures) {
          if (isSensitive(index.parameter)) found.push(path)
          visit(index.type, [...path, "*"])
        }
        break
      }
      case "Arrays": {
        for (const part of [...node.elements, ...node.rest]) visit(part, [...path, "*"])
        break
      }
      case "Union": {
        for (const part of node.types) visit(part, path)
        break
      }
      case "Suspend": {
        visit(node.thunk(), path)
        break
      }
      case "Declaration": {
        const before = found.length
        for (const parameter of node.typeParameters) visit(parameter, path)
        if (found.length > before) found.push(path)
        break
      }
    }
    seen.delete(node)
  }
  visit(ast, [])
  addKeys(found)
  return found.length === 0 ? found : [...found, ...recursions]
}

const addKeys = (paths: ReadonlyArray<ReadonlyArray<string>>): void => {
  for (const path of paths) keys.add(path.findLast((part) => part !== "*") ?? "data")
}

/**
 * The part of `path` that may be shown if the value there is, contains or is part of something sensitive; undefined if
 * it is not sensitive.
 */
export const sensitivePrefix = (
  paths: ReadonlyArray<ReadonlyArray<string>>,
  path: ReadonlyArray<PropertyKey>
): ReadonlyArray<PropertyKey> | undefined => {
  const hits = paths.filter((hidden) =>
    hidden.every((part, i) => i >= path.length || part === "*" || part === String(path[i]))
  )
  return hits.length === 0 ? undefined : path.slice(0, Math.min(...hits.map((hidden) => hidden.length)))
}

/** Adds the sensitive values of this data. */
export const collect = (into: Secrets, schema: SensitiveSchema, data: unknown): void => {
  for (const path of schema.paths) collectAt(into, schema, data, path, 0)
}

/** Data is at most this deep: `Limits`. */
const maxDepth = 80

/** Adds the values at a path; `*` is any index or key. Below the end of the path everything is sensitive. */
const collectAt = (
  into: Secrets,
  schema: SensitiveSchema,
  value: unknown,
  path: ReadonlyArray<string>,
  depth: number
): void => {
  if (Predicate.isString(value)) return addText(into, schema, value)
  if (Predicate.isNumber(value) || Predicate.isBigInt(value)) return into.addNumber(String(value))
  if (Predicate.isBoolean(value)) return into.addWord(String(value))
  if (!Predicate.isObjectOrArray(value) || depth > maxDepth) return
  const below = (inner: unknown, rest: ReadonlyArray<string>): void => collectAt(into, schema, inner, rest, depth + 1)
  if (value instanceof Uint8Array) return into.addBytes(value)
  if (Redacted.isRedacted(value))
    return below(
      attempt(() => Redacted.value(value)),
      []
    )
  if (Option.isOption(value)) return Option.isSome(value) ? below(value.value, []) : undefined
  if (value instanceof URL) return addUrl(into, value)
  if (Predicate.isDate(value)) {
    below(value.getTime(), [])
    return (
      into.addText(String(value)),
      below(
        attempt(() => value.toISOString()),
        []
      )
    )
  }
  if (!Array.isArray(value) && Predicate.isIterable(value)) {
    for (const inner of value) below(inner, [])
    return
  }
  const [part, ...rest] = path
  const keep = part === undefined || part === "*"
  if (keep)
    below(
      attempt(() => (Predicate.hasProperty(value, "toJSON") ? textOf(value) : undefined)),
      []
    )
  for (const [key, inner] of Object.entries(value)) {
    if (part === undefined && !Array.isArray(value) && !schema.names.has(key)) addText(into, schema, key)
    if (keep || key === part) below(inner, rest)
  }
}

/** A text, and what it has between the fixed parts of templates. */
const addText = (into: Secrets, { literals }: SensitiveSchema, text: string): void => {
  into.addText(text)
  let pieces = [text]
  for (const literal of literals) pieces = pieces.flatMap((piece) => piece.split(literal))
  if (pieces.length > 1) for (const piece of pieces) into.addText(piece)
}

const addUrl = (into: Secrets, url: URL): void => {
  for (const part of [url.href, url.username, url.password, url.host, url.pathname, ...url.searchParams.values()])
    if (part !== "/") {
      into.addText(part)
      const decoded = attempt(() => decodeURIComponent(part))
      if (decoded !== undefined && decoded !== part) into.addText(decoded)
    }
}

/** Its text, if it is an object that has one, such as a time. */
const textOf = (value: { readonly toJSON: unknown }): string | undefined => {
  const json: unknown = Predicate.isFunction(value.toJSON) ? value.toJSON() : undefined
  return Predicate.isString(json) ? json : undefined
}

/** Undefined if it throws: data may hold anything. */
const attempt = <A>(read: () => A): A | undefined => {
  try {
    return read()
  } catch {
    return undefined
  }
}
