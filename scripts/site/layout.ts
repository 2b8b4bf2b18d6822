/** The frame of a page: navigation, search, what is on this page, the pages before and after it. */
import { posix } from "node:path"
import type { Heading, Rendered } from "./markdown.ts"
import { pathInSite, repository, type Source, version } from "./sources.ts"

export interface Page {
  readonly source: Source
  readonly rendered: Rendered
}

const escape = (text: string): string =>
  text.replace(/[&<>"]/g, (sign) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[sign] ?? "&quot;")

/** The first page is called as the package is, and so is the reference of its main door. */
export const titleOf = ({ rendered, source }: Page): string =>
  source.path === "README.md" ? "Overview" : rendered.title

const grouped = (pages: ReadonlyArray<Page>): ReadonlyArray<readonly [string, ReadonlyArray<Page>]> =>
  [...Map.groupBy(pages, ({ source }) => source.group ?? "")].filter(([group]) => group !== "")

const navigation = (pages: ReadonlyArray<Page>, current: Page, to: (path: string) => string): string =>
  grouped(pages)
    .map(([group, members]) => {
      const items = members
        .map((page) => {
          const here = page === current ? ' aria-current="page"' : ""
          return `<li><a href="${to(page.source.path)}"${here}>${escape(titleOf(page))}</a></li>`
        })
        .join("")
      return `<h2>${group}</h2><ul>${items}</ul>`
    })
    .join("")

const contents = (headings: ReadonlyArray<Heading>): string => {
  const shown = headings.filter(({ level }) => level === 2 || level === 3)
  const short = shown.length > 60 ? shown.filter(({ level }) => level === 2) : shown
  if (short.length < 2) return ""
  const items = short
    .map(({ level, slug, text }) => `<li class="level-${level}"><a href="#${slug}">${escape(text)}</a></li>`)
    .join("")
  return `<nav class="contents" aria-label="On this page"><h2>On this page</h2><ul>${items}</ul></nav>`
}

const neighbour = (page: Page | undefined, rel: "prev" | "next", to: (path: string) => string): string =>
  page === undefined
    ? "<span></span>"
    : `<a rel="${rel}" href="${to(page.source.path)}"><small>${rel === "prev" ? "Before" : "Next"}</small>${escape(titleOf(page))}</a>`

export const html = (page: Page, pages: ReadonlyArray<Page>): string => {
  const { rendered, source } = page
  const from = posix.dirname(pathInSite(source.path))
  const to = (path: string): string => posix.relative(from, pathInSite(path)) || posix.basename(pathInSite(path))
  const top = posix.relative(from, ".") || "."
  const listed = pages.filter((one) => one.source.group !== undefined)
  const place = listed.indexOf(page)
  const isFile = !source.path.startsWith("api/")
  const title = source.path === "README.md" ? rendered.title : `${titleOf(page)} · @eduflow/events`
  return `<!doctype html>
<html lang="en" data-top="${top}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escape(title)}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="${top}/assets/site.css">
<script src="${top}/assets/site.js"></script>
</head>
<body>
<a class="skip" href="#content">Skip to the page</a>
<header>
<button class="menu" type="button" aria-expanded="false" aria-controls="pages">Menu</button>
<a class="home" href="${to("README.md")}">@eduflow/events <small>${escape(version)}</small></a>
<form class="search" role="search">
<input type="search" placeholder="Search" aria-label="Search the documentation" autocomplete="off" spellcheck="false" aria-controls="found">
<div id="found" hidden></div>
</form>
<button class="theme" type="button">Dark</button>
</header>
<div class="frame">
<nav id="pages" aria-label="Pages">${navigation(listed, page, to)}</nav>
<main id="content">
<article${isFile ? "" : ' class="reference"'}>
${rendered.html}</article>
<footer>
<div class="neighbours">${neighbour(place < 0 ? undefined : listed[place - 1], "prev", to)}${neighbour(place < 0 ? undefined : listed[place + 1], "next", to)}</div>
${isFile ? `<p><a href="${repository}/blob/main/${source.path}">${source.path}</a> in the repository</p>` : ""}
</footer>
</main>
${contents(rendered.headings)}
</div>
</body>
</html>
`
}
