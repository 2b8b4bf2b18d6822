/**
 * Fields whose values must not be seen in logs, spans, metrics, dead-letter headers or errors. The
 * annotation is on the schema, so it is written once, where the field is defined.
 */
import { Schema, SchemaAST } from "effect"

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

const isSensitive = SchemaAST.resolveAt<boolean>(key)

/**
 * The paths of the sensitive parts of a schema; `*` stands for any index or key. A part below a
 * sensitive one is sensitive too.
 */
export const sensitivePaths = (ast: SchemaAST.AST): ReadonlyArray<ReadonlyArray<string>> => {
  const found: Array<ReadonlyArray<string>> = []
  const seen = new Set<SchemaAST.AST>()
  const visit = (node: SchemaAST.AST, path: ReadonlyArray<string>): void => {
    if (isSensitive(node) === true) return void found.push(path)
    if (seen.has(node) || path.length > 16) return
    seen.add(node)
    switch (node._tag) {
      case "Objects": {
        for (const property of node.propertySignatures) visit(property.type, [...path, String(property.name)])
        for (const index of node.indexSignatures) visit(index.type, [...path, "*"])
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
      default: {
        if (node.encoding !== undefined) for (const link of node.encoding) visit(link.to, path)
      }
    }
    seen.delete(node)
  }
  visit(ast, [])
  return found
}

/** Whether the value at `path` lies in or under one of the sensitive paths. */
export const isSensitivePath = (
  paths: ReadonlyArray<ReadonlyArray<string>>,
  path: ReadonlyArray<PropertyKey>
): boolean =>
  paths.some((hidden) => hidden.every((part, i) => i >= path.length || part === "*" || part === String(path[i])))
