/**
 * Fields whose values must not be seen in logs, spans, metrics, dead-letter headers or errors. The
 * annotation is on the schema, so it is written once, where the field is defined.
 */
import type { Schema, SchemaAST } from "effect"

const key = "eduflow/sensitive"

/**
 * Marks a schema as holding values that must not be shown.
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

// An annotation lands on the last check there is; checks that are added later do not undo it.
const isSensitive = (node: SchemaAST.AST): boolean =>
  node.annotations?.[key] === true || (node.checks?.some((check) => check.annotations?.[key] === true) ?? false)

const keys = new Set<string>()
/**
 * What the sensitive fields of all contracts of this process are called: what is logged has lost its schema,
 * and still its names.
 */
export const sensitiveKeys: ReadonlySet<string> = keys

/**
 * The paths of the sensitive parts of a schema; `*` stands for any index or key. A part below a
 * sensitive one is sensitive too. Where paths cannot be known (a recursion, a class, an Option, a map)
 * everything below is taken as sensitive when anything there is.
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
  for (const path of found) keys.add(path.findLast((part) => part !== "*") ?? "data")
  return found.length === 0 ? found : [...found, ...recursions]
}

/**
 * The part of `path` that may be told when the value there lies in, under or around something
 * sensitive; undefined when it does not.
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
