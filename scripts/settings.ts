/**
 * Writes the table of settings into docs/guides/settings.md from app/Config.ts, between its two markers. A test
 * fails when the guide says something else.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { settings } from "../src/app/Config.ts"

interface Row {
  readonly name: string
  readonly meaning: string
  readonly default: string
}

export const table = (rows: ReadonlyArray<Row>): string =>
  [
    "| setting | meaning | default |",
    "| --- | --- | --- |",
    ...rows.map((row) => `| \`${row.name}\` | ${row.meaning} | ${row.default} |`)
  ].join("\n")

if (import.meta.main) {
  const file = new URL("../docs/guides/settings.md", import.meta.url)
  const text = readFileSync(file, "utf8")
  const begin = "<!-- settings -->"
  const end = "<!-- /settings -->"
  const [before = "", rest = ""] = text.split(begin)
  const after = rest.split(end)[1] ?? ""
  writeFileSync(file, `${before}${begin}\n${table(Object.values(settings))}\n${end}${after}`)
}
