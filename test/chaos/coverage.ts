/**
 * Joins the rows of `rows.ts` and the promises with the tests whose titles name them, and writes COVERAGE.md:
 * `npm run coverage`. The names are those that the test runner collects, so a title in a loop stands there once for
 * each of its tests. Coverage.test.ts checks the file against the sources.
 */
import { execFileSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, relative } from "node:path"
import { promises, rows, sections } from "./rows.ts"
import { coded, type SourceTitle, sourceTitles } from "./titles.ts"

const root = join(import.meta.dirname, "..", "..")
export const coverageFile = join(import.meta.dirname, "COVERAGE.md")

/** A test, or a suite, whose title begins with codes. */
interface Guard {
  readonly title: string
  readonly source: string
  readonly runIn: Set<string>
}

interface Collected {
  /** Suites and title, separated by " > ". */
  readonly name: string
  readonly file: string
}

const collect = (): ReadonlyArray<Collected> => {
  const folder = mkdtempSync(join(tmpdir(), "eventbus-coverage-"))
  const file = join(folder, "tests.json")
  const vitest = join(root, "node_modules", "vitest", "vitest.mjs")
  try {
    execFileSync(process.execPath, [vitest, "list", "--no-static-parse", "--no-isolate", `--json=${file}`], {
      cwd: root,
      stdio: ["ignore", "ignore", "inherit"]
    })
    // Written by vitest in this form.
    const collected = JSON.parse(readFileSync(file, "utf8")) as ReadonlyArray<Collected>
    const skipped = collected.find(({ name }) => name.includes(" > skipped, "))
    if (skipped !== undefined) throw new Error(`not all tests can run on this machine: ${skipped.name}`)
    return collected
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The title in the sources that a test has its title from. Of several the one with the most fixed text. */
const sourceOf = (title: string, file: string, titles: ReadonlyArray<SourceTitle>): string => {
  const found = titles.filter(({ pattern }) => pattern.test(title))
  const [best] = found.toSorted((a, b) => b.fixed - a.fixed || Number(b.file === file) - Number(a.file === file))
  return best?.file ?? file
}

/** The guards of each row and promise, by code. */
const guards = (): ReadonlyMap<string, ReadonlyArray<Guard>> => {
  const titles = sourceTitles()
  const found = new Map<string, Map<string, Guard>>()
  for (const { file: path, name } of collect()) {
    const file = relative(root, path)
    for (const part of name.split(" > ")) {
      const match = coded.exec(part)
      if (match === null) continue
      const [, codes = "", title = ""] = match
      const source = sourceOf(part, file, titles)
      for (const code of codes.split(", ")) {
        const all = found.get(code) ?? new Map<string, Guard>()
        found.set(code, all)
        const guard = all.get(`${source} ${title}`) ?? { title, source, runIn: new Set() }
        all.set(`${source} ${title}`, guard)
        guard.runIn.add(file)
      }
    }
  }
  const bySource = (a: Guard, b: Guard): number => a.source.localeCompare(b.source) || a.title.localeCompare(b.title)
  return new Map([...found].map(([code, all]) => [code, [...all.values()].toSorted(bySource)]))
}

/** Text that Markdown shows as it is. */
export const shown = (text: string): string => text.replace(/[\\[\]*_<>|]/g, "\\$&").replaceAll("\n", " ")

const link = (path: string, text: string): string => `[${text}](${relative(import.meta.dirname, join(root, path))})`

const fileName = (path: string): string => path.slice(path.lastIndexOf("/") + 1)

const lineOf = ({ runIn, source, title }: Guard): string => {
  const others = [...runIn].filter((file) => file !== source).toSorted()
  const where = others.length === 0 ? "" : ` in ${others.map((file) => link(file, fileName(file))).join(", ")}`
  return `- ${link(source, shown(title))}${where}`
}

/** The heading of a promise or row, with its anchor. */
export const heading = (code: string, text: string): string =>
  `<a id="${code.toLowerCase()}"></a>**${code}** ${shown(text)}`

const entry = (code: string, text: string, list: ReadonlyArray<Guard>): ReadonlyArray<string> => [
  heading(code, text),
  "",
  ...list.map(lineOf),
  ...(list.length > 0 ? [""] : [])
]

const coverage = (): string => {
  const found = guards()
  const of = (code: string): ReadonlyArray<Guard> => found.get(code) ?? []
  const all = Object.entries(rows)
  const covered = all.filter(([code]) => of(code).length > 0).length
  const excused = all.filter(([, { reason }]) => reason !== undefined).length
  return [
    "# Promises and failures, with the tests that show them",
    "",
    "Written by `npm run coverage` from the titles of the tests: do not edit. A title of a whole suite stands for all of its",
    `tests. ${covered} of ${all.length} failures have a test, ${excused} have a reason instead.`,
    "",
    "## Promises",
    "",
    ...Object.entries(promises).flatMap(([code, name]) => entry(code, name, of(code))),
    ...sections.flatMap(({ prefix, title }) => [
      `## ${title}`,
      "",
      ...all
        .filter(([code]) => code.replace(/\d+$/, "") === prefix)
        .flatMap(([code, row]) => entry(code, rowText(row), of(code)))
    ])
  ].join("\n")
}

/** One sentence or two for a row. */
export const rowText = ({ reason, required, trigger }: (typeof rows)[string]): string =>
  `${trigger}. Required: ${required}.${reason === undefined ? "" : ` Not tested: ${reason}.`}`

if (import.meta.main) writeFileSync(coverageFile, coverage())
