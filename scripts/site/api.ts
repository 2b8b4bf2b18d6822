/** The reference of the API: a page for each door, with the signatures that TypeScript emits and their docstrings. */
import { Emitted, ofDoors, type Reference } from "../api.ts"
import type { Source } from "./sources.ts"

/** A docstring as Markdown. */
const prose = (doc: string): string =>
  doc
    .replace(/^\/\*\*[ \t]*|[ \t]*\*\/$/g, "")
    .replace(/^[ \t]*\* ?/gm, "")
    .replace(/^@example\s*$/gm, "")
    .replace(/^@(\w+)/gm, "**$1**")
    .replace(/\{@link ([^}]+)\}/g, "`$1`")
    // `Stream<A>` in a sentence is no element of HTML.
    .replace(/(```[\s\S]*?```|`[^`]*`)|</g, (sign, code) => (code === undefined ? "&lt;" : sign))
    .trim()

interface Named {
  readonly name: string
  readonly doc: string | undefined
  readonly code: string
}

class Pages {
  private readonly emitted: Emitted

  constructor(emitted: Emitted) {
    this.emitted = emitted
  }

  of(file: string): ReadonlyArray<readonly [name: string, parts: ReadonlyArray<Named>]> {
    const { exported, reexported } = this.emitted.of(file)
    const sections = new Map<string, ReadonlyArray<Named>>()
    for (const name of exported) sections.set(name, this.resolve({ file, name }, name))
    for (const [name, reference] of reexported) {
      if (name !== "*") sections.set(name, this.resolve(reference, name))
      else
        for (const one of this.exportsOf(reference.file))
          sections.set(one, this.resolve({ ...reference, name: one }, one))
    }
    return [...sections].toSorted(([a], [b]) => a.localeCompare(b, "en"))
  }

  private exportsOf(file: string): ReadonlyArray<string> {
    const { exported, reexported } = this.emitted.of(file)
    return [...exported, ...reexported.keys()].toSorted()
  }

  /** A declaration, or all of a namespace: then their names begin with its name. */
  private resolve(reference: Reference, shown: string): ReadonlyArray<Named> {
    if (reference.name === "*")
      return this.exportsOf(reference.file).flatMap((name) =>
        this.resolve({ file: reference.file, name }, `${shown}.${name}`)
      )
    const { declared, docs, imported, reexported } = this.emitted.of(reference.file)
    const texts = declared.get(reference.name)
    if (texts !== undefined) return [{ name: shown, doc: docs.get(reference.name), code: texts.join("\n") }]
    const elsewhere = reexported.get(reference.name) ?? imported.get(reference.name)
    if (elsewhere === undefined) throw new Error(`${reference.file} has no declaration of ${reference.name}`)
    return this.resolve(elsewhere, shown)
  }
}

const section = (level: string, { code, doc, name }: Named): string =>
  [`${level} ${name}`, ...(doc === undefined ? [] : [prose(doc)]), `\`\`\`ts\n${code}\n\`\`\``].join("\n\n")

/** One page for each door, in the folder `api` of the site. */
export const apiPages = (): ReadonlyArray<Source> =>
  ofDoors(({ file, name, title }, folder) => {
    const pages = new Pages(new Emitted(folder, { withComments: true })).of(file)
    const sections = pages.map(([shown, parts]) => {
      const [first] = parts
      if (first !== undefined && parts.length === 1 && first.name === shown) return section("##", first)
      return [`## ${shown}`, ...parts.map((part) => section("###", part))].join("\n\n")
    })
    return {
      path: `api/${name}.md`,
      group: "API",
      markdown: [`# ${title}`, `Everything that \`import … from "${title}"\` gives.`, ...sections, ""].join("\n\n")
    }
  })
