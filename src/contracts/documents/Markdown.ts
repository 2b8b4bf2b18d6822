/** The catalogue of events as a page of Markdown. */
import type { Described } from "./AsyncApi.ts"
import * as Catalogue from "./Catalogue.ts"

export const page = (described: Described): string => {
  const sections = Catalogue.of(described)
  return [
    `# Events of ${described.title}`,
    "",
    ...sections.map(({ event }) => `- [${event}](#${anchor(event)})`),
    ...sections.flatMap(section),
    ""
  ].join("\n")
}

/** As pages of Markdown make it of a heading. */
const anchor = (event: string): string => event.replaceAll(".", "")

const section = (one: Catalogue.Section): ReadonlyArray<string> => [
  "",
  `## ${one.event}`,
  "",
  ...(one.description === undefined ? [] : [one.description, ""]),
  ...one.facts.map(([name, text]) => `- ${name}: ${text}`),
  "",
  ...table(one.fields),
  ...(one.example === undefined ? [] : ["", "```json", one.example, "```"]),
  ...one.older.flatMap(({ fields, version }) => ["", `Version ${version}:`, "", ...table(fields)])
]

const table = (fields: ReadonlyArray<Catalogue.Field>): ReadonlyArray<string> => [
  "| field | type | required | checks |",
  "| --- | --- | --- | --- |",
  ...fields.map(
    ({ checks, isRequired, path, type }) =>
      `| ${[path, type, isRequired ? "yes" : "no", checks.join(", ")].map(cell).join(" | ")} |`
  )
]

const cell = (text: string): string => (text === "" ? "" : text.replaceAll("|", "\\|").replaceAll("\n", " "))
