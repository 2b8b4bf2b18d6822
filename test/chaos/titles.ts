/** Test titles that begin with codes ("PUB5, P4: …"), as they stand in the sources. */
import { globSync, readFileSync } from "node:fs"
import { join } from "node:path"

const root = join(import.meta.dirname, "..", "..")

const code = "(?:PUB|[CTMHRDSONP])\\d{1,2}"
/** The codes of a title, and the rest of it. */
export const coded = new RegExp(`^(${code}(?:, ${code})*): (.+)$`, "s")
/** Where a title begins: a quote, then codes or an expression, then a colon. */
const opening = new RegExp(`(["'\`])(?:${code}(?:, ${code})*|\\$\\{[^{}\`]*\\}): `, "g")

export interface SourceTitle {
  readonly file: string
  /** Empty when an expression makes them. */
  readonly codes: ReadonlyArray<string>
  /** Matches the beginning of the titles that the tests have when they run. */
  readonly pattern: RegExp
  /** How many of its characters are fixed. */
  readonly fixed: number
}

/** Every title with codes, with its file. */
export const sourceTitles = (): ReadonlyArray<SourceTitle> =>
  globSync(["test/**/*.ts", "src/ports/conformance/**/*.ts", "examples/**/*.test.ts"], { cwd: root })
    .filter((file) => !/test\/chaos\/(?:rows|titles)\.ts$/.test(file))
    .toSorted()
    .flatMap((file) => {
      const source = readFileSync(join(root, file), "utf8")
      return [...source.matchAll(opening)]
        .filter(({ index }) => !isMessage(source, index))
        .map(({ 1: quote = "", index }) => titleAt(file, source, index + 1, quote))
    })

/** The message of an assertion may begin with a code as well. */
const isMessage = (source: string, at: number): boolean =>
  source.slice(source.lastIndexOf("\n", at), at).includes("assert.")

const titleAt = (file: string, source: string, start: number, quote: string): SourceTitle => {
  let pattern = ""
  let fixed = 0
  let at = start
  while (at < source.length && source[at] !== quote) {
    if (quote === "`" && source.startsWith("${", at)) {
      at = endOfExpression(source, at + 2)
      pattern += ".*"
      continue
    }
    // `it.each` puts a property there.
    const property = /^\$[a-z]\w*/i.exec(source.slice(at, at + 100))?.[0]
    if (property !== undefined) {
      at += property.length
      pattern += ".*"
      continue
    }
    if (source[at] === "\\") at++
    pattern += escaped(source[at] ?? "")
    fixed++
    at++
  }
  const codes = coded.exec(source.slice(start, at))?.[1]?.split(", ") ?? []
  return { file, codes, pattern: new RegExp(`^${pattern}`, "s"), fixed }
}

const escaped = (character: string): string => character.replace(/[.*+?^${}()|[\]\\/]/, "\\$&")

const endOfExpression = (source: string, start: number): number => {
  let depth = 1
  let at = start
  while (at < source.length && depth > 0) {
    if (source[at] === "{") depth++
    if (source[at] === "}") depth--
    at++
  }
  return at
}
