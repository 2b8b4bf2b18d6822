/** Each failure has a test or a reason, and COVERAGE.md says which. */
import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { dirname, join, relative } from "node:path"
import { coverageFile, heading, rowText, shown } from "./coverage.ts"
import { promises, rows } from "./rows.ts"
import { sourceTitles } from "./titles.ts"

const root = join(import.meta.dirname, "..", "..")
const page = readFileSync(coverageFile, "utf8").split("\n")
const titles = sourceTitles()

interface Listed {
  readonly code: string
  /** As the page shows it. */
  readonly title: string
  readonly file: string
}

const listed: ReadonlyArray<Listed> = page.reduce<{ readonly code: string; readonly all: Array<Listed> }>(
  ({ all, code }, line) => {
    const found = /^- \[(.*?)\]\(([^)]*)\)(?: in \[.*)?$/.exec(line)
    if (found !== null)
      all.push({ code, title: found[1] ?? "", file: relative(root, join(dirname(coverageFile), found[2] ?? "")) })
    return { all, code: /^<a id="\w+"><\/a>\*\*(\w+)\*\*/.exec(line)?.[1] ?? code }
  },
  { code: "", all: [] }
).all
const tested = new Set(listed.map(({ code }) => code))
/** The title of a listed test as the runner has it, but for its other codes. */
const plain = (title: string): string => title.replace(/\\(.)/g, "$1")

describe("COVERAGE.md, which `npm run coverage` writes,", () => {
  it("has a test for each row, or the reason why there is none", () => {
    const wrong = Object.entries(rows).filter(([code, { reason }]) => tested.has(code) === (reason !== undefined))
    assert.deepStrictEqual(
      wrong.map(([code]) => code),
      []
    )
  })

  it("has a test for each promise", () => {
    assert.deepStrictEqual(
      Object.keys(promises).filter((code) => !tested.has(code)),
      []
    )
  })

  it("has the words of each row and promise", () => {
    const headings = [
      ...Object.entries(promises).map(([code, name]) => heading(code, name)),
      ...Object.entries(rows).map(([code, row]) => heading(code, rowText(row)))
    ]
    assert.deepStrictEqual(
      headings.filter((line) => !page.includes(line)),
      []
    )
  })

  it("lists each title with a code, under each of its codes", () => {
    const missing = titles.flatMap(({ codes, file, pattern }) =>
      codes
        .filter(
          (code) => !listed.some((one) => one.code === code && pattern.test(`${codes.join(", ")}: ${plain(one.title)}`))
        )
        .map((code) => `${code} of ${file}: ${pattern.source}`)
    )
    assert.deepStrictEqual(missing, [])
  })

  it("lists no test that is gone from its file", () => {
    const gone = listed.filter(
      ({ code, file, title }) =>
        !titles.some(
          (one) =>
            one.file === file &&
            (one.codes.length === 0 || one.codes.includes(code)) &&
            one.pattern.test(`${one.codes.length === 0 ? code : one.codes.join(", ")}: ${plain(title)}`)
        )
    )
    assert.deepStrictEqual(gone, [])
  })

  it("knows every code that a title has", () => {
    const known = new Set([...Object.keys(promises), ...Object.keys(rows)])
    assert.deepStrictEqual(
      titles.flatMap(({ codes, file }) => codes.filter((code) => !known.has(code)).map((code) => `${code} in ${file}`)),
      []
    )
    assert.strictEqual(shown("a|b"), "a\\|b")
  })
})
