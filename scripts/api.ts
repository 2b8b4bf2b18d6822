/**
 * Writes the exported signatures of each door to `api/<door>.md`, from the declarations that TypeScript emits. A change
 * of the public API is seen in the diff of these files; `npm run check` fails while they differ from the sources.
 *
 *   node scripts/api.ts           writes the files
 *   node scripts/api.ts --check   fails when they differ
 *
 * A report has the declarations that a door exports, and those of other files that they refer to.
 */
import { execFileSync } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join, relative, resolve } from "node:path"

const root = resolve(import.meta.dirname, "..")
const doors = {
  index: "@eduflow/events",
  ports: "ports",
  testing: "testing",
  catalog: "catalog",
  outbox: "outbox",
  nest: "nest"
} as const

/** A name of another file: `*` stands for all of its exports. */
export interface Reference {
  readonly file: string
  readonly name: string
}

export interface Declarations {
  /** Texts by declared name; overloads and merged declarations are several. */
  readonly declared: ReadonlyMap<string, ReadonlyArray<string>>
  /** The docstring of a declared name, as it is written; without comments there are none. */
  readonly docs: ReadonlyMap<string, string>
  readonly exported: ReadonlySet<string>
  readonly imported: ReadonlyMap<string, Reference>
  readonly reexported: ReadonlyMap<string, Reference>
}

/** Reads the declarations that TypeScript emitted. It starts each of them in the first column. */
export class Emitted {
  private readonly read = new Map<string, Declarations>()
  private readonly folder: string
  private readonly withComments: boolean

  constructor(folder: string, { withComments = false }: { readonly withComments?: boolean } = {}) {
    this.folder = folder
    this.withComments = withComments
  }

  of(file: string): Declarations {
    const known = this.read.get(file)
    if (known !== undefined) return known
    const text = readFileSync(join(this.folder, file.replace(/\.ts$/, ".d.ts")), "utf8")
    const made = parse(file, this.withComments ? text : text.replace(/^[ \t]*\/\*[\s\S]*?\*\/[ \t]*\n?/gm, ""))
    this.read.set(file, made)
    return made
  }
}

/** The comments in front of a statement, and the statement. */
const commented = /^((?:\/\*(?:(?!\*\/)[\s\S])*\*\/\s*)*)([\s\S]*)$/
/** Where a statement begins, or the comments in front of it. */
const beginning = /(?<!\*\/)\n(?=(?:\/\*(?:(?!\*\/)[\s\S])*\*\/\n)*(?:import|export|declare|interface|type)\b)/

const parse = (file: string, text: string): Declarations => {
  const declared = new Map<string, Array<string>>()
  const docs = new Map<string, string>()
  const exported = new Set<string>()
  const imported = new Map<string, Reference>()
  const reexported = new Map<string, Reference>()
  for (const part of text.split(beginning)) {
    const [, comments = "", statement = ""] = commented.exec(part.trim()) ?? []
    const from = /^(import|export)\s+(?:type\s+)?([\s\S]*?)\s+from\s+"(\.[^"]*)";$/.exec(statement)
    if (from !== null) {
      const [, keyword, clause = "", specifier = ""] = from
      const target = relative(".", join(dirname(file), specifier))
      const names = keyword === "import" ? imported : reexported
      for (const [local, name] of namesOf(clause)) names.set(local, { file: target, name })
      continue
    }
    const declaration =
      /^(export )?(?:declare )?(?:abstract )?(?:const|class|function|interface|type|namespace) ([\w$]+)/.exec(statement)
    if (declaration === null) continue
    const [, isExported, name = ""] = declaration
    declared.set(name, [...(declared.get(name) ?? []), statement.replace(/^export /, "")])
    const [doc] = comments.match(/\/\*\*(?:(?!\*\/)[\s\S])*\*\/(?=\s*$)/) ?? []
    if (doc !== undefined && !docs.has(name)) docs.set(name, doc)
    if (isExported !== undefined) exported.add(name)
  }
  return { declared, docs, exported, imported, reexported }
}

/** The local names of an import or export clause, and what they are called in the other file. */
const namesOf = (clause: string): ReadonlyArray<readonly [local: string, name: string]> => {
  const all = /^\*(?: as ([\w$]+))?$/.exec(clause)
  if (all !== null) return [[all[1] ?? "*", "*"]]
  return clause
    .replace(/[{}]/g, "")
    .split(",")
    .map((part) => part.trim().replace(/^type /, ""))
    .filter((part) => part !== "")
    .map((part) => {
      const [name = "", local = name] = part.split(" as ")
      return [local, name] as const
    })
}

class Report {
  private readonly emitted: Emitted
  private readonly done = new Set<string>()
  private readonly pending: Array<Reference> = []

  constructor(emitted: Emitted) {
    this.emitted = emitted
  }

  /** The section of each exported name, and then what they refer to. */
  of(title: string, door: string): string {
    const { declared, exported, reexported } = this.emitted.of(door)
    const sections = new Map<string, string>()
    for (const name of exported) sections.set(name, this.declarations({ file: door, name }))
    for (const [name, reference] of reexported) {
      if (name !== "*") sections.set(name, this.section(reference))
      else
        for (const one of this.exportsOf(reference.file)) sections.set(one, this.section({ ...reference, name: one }))
    }
    const shown = [...sections]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, text]) => `## ${name}\n\n\`\`\`ts\n${text}\n\`\`\``)
    if (declared.size > exported.size) this.refer(door, [...declared.values()].flat().join("\n"))
    const others = this.others()
    return [
      `# ${title}`,
      "Written by `npm run api`.",
      ...shown,
      ...(others === "" ? [] : [`# Other declarations that these refer to\n\n\`\`\`ts\n${others}\n\`\`\``])
    ].join("\n\n")
  }

  private section(reference: Reference): string {
    return reference.name === "*"
      ? this.exportsOf(reference.file)
          .map((name) => this.declarations({ file: reference.file, name }))
          .join("\n")
      : this.declarations(reference)
  }

  private exportsOf(file: string): ReadonlyArray<string> {
    const { exported, reexported } = this.emitted.of(file)
    return [...exported, ...reexported.keys()].toSorted()
  }

  /** The declarations of a name, wherever they are. What they refer to is pending. */
  private declarations(reference: Reference): string {
    const { declared, imported, reexported } = this.emitted.of(reference.file)
    const texts = declared.get(reference.name)
    if (texts !== undefined) {
      this.done.add(`${reference.file}#${reference.name}`)
      const text = texts.join("\n")
      this.refer(reference.file, text)
      return text
    }
    const elsewhere = reexported.get(reference.name) ?? imported.get(reference.name)
    if (elsewhere === undefined) throw new Error(`${reference.file} has no declaration of ${reference.name}`)
    return elsewhere.name === "*" ? this.section(elsewhere) : this.declarations(elsewhere)
  }

  /** Notes what a text of this file names. */
  private refer(file: string, text: string): void {
    const { declared, imported } = this.emitted.of(file)
    for (const [, name = "", member] of text.matchAll(/([\w$]+)(?:\.([\w$]+))?/g)) {
      const other = imported.get(name)
      if (other === undefined) {
        if (declared.has(name)) this.pending.push({ file, name })
      } else if (other.name !== "*") this.pending.push(other)
      else if (member !== undefined) this.pending.push({ file: other.file, name: member })
    }
    for (const [, specifier = "", name = ""] of text.matchAll(/import\("(\.[^"]+)"\)\.([\w$]+)/g))
      this.pending.push({ file: relative(".", join(dirname(file), specifier)), name })
  }

  /** Declarations that no section has, by file. */
  private others(): string {
    const found = new Map<string, string>()
    for (let next = this.pending.pop(); next !== undefined; next = this.pending.pop()) {
      const { declared, imported, reexported } = this.emitted.of(next.file)
      const elsewhere = declared.has(next.name) ? undefined : (reexported.get(next.name) ?? imported.get(next.name))
      if (elsewhere !== undefined) {
        if (elsewhere.name !== "*") this.pending.push(elsewhere)
        continue
      }
      const key = `${next.file}#${next.name}`
      if (this.done.has(key) || !declared.has(next.name)) continue
      found.set(key, this.declarations(next))
    }
    return [...found]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, text]) => `// ${key.replace("#", ": ")}\n${text}`)
      .join("\n")
  }
}

/** Emits the declarations into a folder that is there while they are used. */
const emitted = <A>(use: (folder: string) => A): A => {
  const folder = mkdtempSync(join(tmpdir(), "eventbus-api-"))
  try {
    const tsc = join(root, "node_modules/typescript/bin/tsc")
    execFileSync(process.execPath, [tsc, "--project", join(root, "tsconfig.build.json"), "--outDir", folder], {
      stdio: "inherit"
    })
    return use(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

export interface Door {
  /** Name of its report, without `.md`. */
  readonly name: string
  readonly title: string
  readonly file: string
}

/** What `use` makes of each door. */
export const ofDoors = <A>(use: (door: Door, folder: string) => A): ReadonlyArray<A> =>
  emitted((folder) =>
    Object.entries(doors)
      .map(([name, title]) =>
        name === "index"
          ? { name: "events", title, file: "index.ts" }
          : { name, title: `@eduflow/events/${title}`, file: `${name}/index.ts` }
      )
      .map((door) => use(door, folder))
  )

/** The reports by file name. */
export const reports = (): ReadonlyMap<string, string> =>
  new Map(
    ofDoors(({ file, name, title }, folder) => [`${name}.md`, `${new Report(new Emitted(folder)).of(title, file)}\n`])
  )

if (import.meta.main) {
  const folder = join(root, "api")
  const isCheck = process.argv.includes("--check")
  mkdirSync(folder, { recursive: true })
  const changed = [...reports()].filter(([name, text]) => {
    const file = join(folder, name)
    const same = existsSync(file) && readFileSync(file, "utf8") === text
    if (!same && !isCheck) writeFileSync(file, text)
    return !same
  })
  for (const [name] of changed) {
    console.log(
      isCheck ? `api/${name} differs from the sources: run \`npm run api\` and look at its diff` : `api/${name}`
    )
  }
  if (isCheck && changed.length > 0) process.exitCode = 1
}
