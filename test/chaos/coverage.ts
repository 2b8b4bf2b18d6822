/**
 * Joins the rows of `rows.ts` with the tests whose titles name them, and writes COVERAGE.md:
 * `node test/chaos/coverage.ts`. Coverage.test.ts fails when the file is not what this makes of the sources.
 */
import { globSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { rows } from "./rows.ts"

const root = join(import.meta.dirname, "..", "..")
export const coverageFile = join(import.meta.dirname, "COVERAGE.md")

const id = /(?:PUB|[CTMHRDSONP])\d{1,2}/
/** A title is the first argument of a call and begins with its ids. */
const title = new RegExp(
  `\\(\\s*(["'\`])((?:${id.source})(?:, (?:${id.source}))*): ((?:(?!\\1)[^\\\\\\n]|\\\\.)*)\\1`,
  "g"
)

export interface Guard {
  readonly file: string
  readonly title: string
}

/** The tests of each row and promise, by id. */
export const guards = (): ReadonlyMap<string, ReadonlyArray<Guard>> => {
  const found = new Map<string, Array<Guard>>()
  for (const file of globSync("test/**/*.ts", { cwd: root }).sort()) {
    for (const [, , ids = "", words = ""] of readFileSync(join(root, file), "utf8").matchAll(title)) {
      for (const name of ids.split(", ")) {
        const list = found.get(name) ?? []
        list.push({ file, title: words })
        found.set(name, list)
      }
    }
  }
  return found
}

const promises = Array.from({ length: 18 }, (_, n) => `P${n + 1}`)

export const coverage = (): string => {
  const found = guards()
  const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll("<", "&lt;")
  const tests = (name: string, reason: string | undefined): string => {
    const list = found.get(name) ?? []
    if (list.length === 0) return reason === undefined ? "**no test**" : `not tested: ${reason}`
    const shown = list.slice(0, 4).map((guard) => `${cell(guard.title)} (\`${guard.file.slice("test/".length)}\`)`)
    return [...shown, ...(list.length > 4 ? [`and ${list.length - 4} more`] : [])].join("<br>")
  }
  const lines = Object.entries(rows).map(
    ([name, { reason, required, trigger }]) =>
      `| ${name} | ${cell(trigger)} | ${cell(required)} | ${tests(name, reason)} |`
  )
  const covered = Object.keys(rows).filter((name) => found.has(name)).length
  return [
    "# What is survived, and where it is shown",
    "",
    "Made of the titles of the tests by `node test/chaos/coverage.ts`: do not edit.",
    "",
    `${covered} of ${lines.length} failures have a test, ${Object.values(rows).filter(({ reason }) => reason !== undefined).length} have a reason instead.`,
    "",
    "| row | what goes wrong | what is required | shown by |",
    "| --- | --- | --- | --- |",
    ...lines,
    "",
    "| promise | shown by |",
    "| --- | --- |",
    ...promises.map((name) => `| ${name} | ${tests(name, undefined)} |`),
    ""
  ].join("\n")
}

if (import.meta.main) writeFileSync(coverageFile, coverage())
