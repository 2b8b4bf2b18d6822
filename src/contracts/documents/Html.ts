/** The catalogue of events as one page of HTML, which loads nothing. */
import type { Described } from "./AsyncApi.ts"
import * as Catalogue from "./Catalogue.ts"

export const page = (described: Described): string => {
  const sections = Catalogue.of(described)
  const title = `Events of ${described.title}`
  return [
    "<!doctype html>",
    '<html lang="en">',
    "<head>",
    '<meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<title>${text(title)}</title>`,
    `<style>${style}</style>`,
    "</head>",
    "<body>",
    `<nav aria-label="Events"><ul>${sections.map(({ event }) => `<li><a href="#${text(event)}">${text(event)}</a></li>`).join("")}</ul></nav>`,
    "<main>",
    `<h1>${text(title)}</h1>`,
    ...sections.flatMap(section),
    "</main>",
    "</body>",
    "</html>",
    ""
  ].join("\n")
}

const section = (one: Catalogue.Section): ReadonlyArray<string> => [
  `<section id="${text(one.event)}">`,
  `<h2><a href="#${text(one.event)}">${text(one.event)}</a></h2>`,
  ...(one.description === undefined ? [] : [`<p>${text(one.description)}</p>`]),
  `<dl>${one.facts.map(([name, value]) => `<dt>${text(name)}</dt><dd>${coded(value)}</dd>`).join("")}</dl>`,
  table(one.fields),
  ...(one.example === undefined ? [] : [`<h3>Example</h3>`, `<pre><code>${text(one.example)}</code></pre>`]),
  ...one.older.map(({ fields, version }) => `<details><summary>Version ${version}</summary>${table(fields)}</details>`),
  "</section>"
]

const table = (fields: ReadonlyArray<Catalogue.Field>): string =>
  [
    '<div class="wide"><table><thead><tr><th>field</th><th>type</th><th>required</th><th>checks</th></tr></thead><tbody>',
    ...fields.map(
      ({ checks, isRequired, path, type }) =>
        `<tr><td><code>${text(path)}</code></td><td>${text(type)}</td><td>${isRequired ? "yes" : "no"}</td><td>${text(checks.join(", "))}</td></tr>`
    ),
    "</tbody></table></div>"
  ].join("\n")

const marks: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" }

const text = (given: string): string => given.replaceAll(/[&<>"']/g, (mark) => marks[mark] ?? mark)

/** What stands between backticks is code. */
const coded = (given: string): string => text(given).replaceAll(/`([^`]*)`/g, "<code>$1</code>")

const style = [
  ":root{color-scheme:light dark}",
  "body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;max-width:90rem;display:flex;gap:2rem;padding:1rem}",
  "nav{position:sticky;top:1rem;align-self:flex-start;max-height:95vh;overflow:auto;flex:none}",
  "nav ul{list-style:none;padding:0;margin:0}",
  "main{flex:1;min-width:0}",
  "dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem}",
  "dd{margin:0}",
  ".wide{overflow-x:auto}",
  "table{border-collapse:collapse}",
  "th,td{text-align:left;vertical-align:top;padding:.2rem .8rem .2rem 0;border-bottom:1px solid #8884}",
  "h2,dd,td:last-child{overflow-wrap:anywhere}",
  "pre{overflow-x:auto;padding:.8rem;background:#8882;border-radius:.3rem}",
  "@media(max-width:50rem){body{display:block}nav{position:static;max-height:none}}"
].join("")
