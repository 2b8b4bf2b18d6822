/** The sources as data: files, imports, functions. The tests of this folder check the rules of the house on it. */
import { globSync, readFileSync } from "node:fs"
import { dirname, join, relative, resolve } from "node:path"
import { parseAst } from "rolldown/parseAst"

export const root = resolve(import.meta.dirname, "../..")
export const read = (file: string): string => readFileSync(join(root, file), "utf8")
/** Paths from the root, sorted. */
export const glob = (pattern: string): ReadonlyArray<string> =>
  globSync(pattern, { cwd: root, exclude: (name) => name === "node_modules" }).toSorted()

export interface Import {
  readonly from: string
  /** A file of ours by its path, a package by its specifier. */
  readonly to: string
  readonly typeOnly: boolean
  readonly dynamic: boolean
}

/** The code without its comments. */
export const codeOf = (file: string): string =>
  read(file)
    .replace(/\/\*[\s\S]*?\*\//g, "")
    .replace(/^\s*\/\/.*$/gm, "")

/** Import statements, re-exports and import() calls of a file. */
export const importsOf = (file: string): ReadonlyArray<Import> => {
  const code = codeOf(file)
  const target = (specifier: string): string =>
    specifier.startsWith(".") ? relative(root, resolve(root, dirname(file), specifier)) : specifier
  const statements = [...code.matchAll(/^(?:import|export)\b([^;"'`]*?)\bfrom\s*"([^"]+)"/gm)].map((match) => {
    const clause = match[1] ?? ""
    const names = /\{([\s\S]*)\}/
      .exec(clause)?.[1]
      ?.split(",")
      .map((name) => name.trim())
      .filter(Boolean)
    const typeOnly =
      /^\s*type\b/.test(clause) ||
      (names !== undefined && names.length > 0 && names.every((name) => name.startsWith("type ")))
    return { from: file, to: target(match[2] ?? ""), typeOnly, dynamic: false }
  })
  const bare = [...code.matchAll(/^import\s*"([^"]+)"/gm)].map(([, to = ""]) => ({
    from: file,
    to: target(to),
    typeOnly: false,
    dynamic: false
  }))
  const dynamic = [...code.matchAll(/\bimport\(\s*"([^"]+)"\s*\)/g)].map(([, to = ""]) => ({
    from: file,
    to: target(to),
    typeOnly: false,
    dynamic: true
  }))
  return [...statements, ...bare, ...dynamic]
}

export const sources = glob("src/**/*.ts")
export const imports = sources.flatMap(importsOf)
export const isOurs = ({ to }: Import): boolean => to.startsWith("src/")

/** Groups of files that import each other, types included, however long the way round. */
export const circles = (edges: ReadonlyArray<Import>): ReadonlyArray<ReadonlyArray<string>> => {
  const next = new Map<string, Array<string>>()
  for (const { from, to } of edges) next.set(from, [...(next.get(from) ?? []), to])
  const reach = (start: string): ReadonlySet<string> => {
    const seen = new Set<string>()
    const open = [...(next.get(start) ?? [])]
    for (let file = open.pop(); file !== undefined; file = open.pop()) {
      if (seen.has(file)) continue
      seen.add(file)
      open.push(...(next.get(file) ?? []))
    }
    return seen
  }
  const reached = new Map([...next.keys()].map((file) => [file, reach(file)]))
  const inCircle = [...reached].filter(([file, seen]) => seen.has(file)).map(([file]) => file)
  const groups = new Map<string, ReadonlyArray<string>>()
  for (const file of inCircle) {
    const group = inCircle.filter((other) => reached.get(file)?.has(other) && reached.get(other)?.has(file)).toSorted()
    groups.set(group.join(" "), group)
  }
  return [...groups.values()]
}

export interface FunctionSize {
  readonly file: string
  readonly line: number
  readonly lines: number
}

interface Node {
  readonly type: string
  readonly start: number
  readonly end: number
  readonly [field: string]: unknown
}

const isNode = (value: unknown): value is Node =>
  typeof value === "object" && value !== null && "type" in value && typeof value.type === "string"
const functionTypes = new Set(["FunctionDeclaration", "FunctionExpression", "ArrowFunctionExpression"])

/** Every function of a file with a body, inner ones and methods too, and its lines from head to closing brace. */
export const functionsOf = (file: string): ReadonlyArray<FunctionSize> => {
  const text = read(file)
  const found: Array<FunctionSize> = []
  const lineAt = (offset: number): number => text.slice(0, offset).split("\n").length
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) return value.forEach(visit)
    if (!isNode(value)) return
    if (functionTypes.has(value.type) && isNode(value["body"])) {
      const line = lineAt(value.start)
      found.push({ file, line, lines: lineAt(value.end) - line + 1 })
    }
    for (const field of Object.values(value)) visit(field)
  }
  visit(parseAst(text, { lang: "ts" }, file))
  return found
}
