/** Writes the site: pages, pictures, style, script, and the index of the search. */
import { copyFileSync, cpSync, mkdirSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import MiniSearch from "minisearch"
import { build as bundle } from "rolldown"
import { apiPages } from "./api.ts"
import { html, type Page, titleOf } from "./layout.ts"
import { render } from "./markdown.ts"
import { pathInSite, root, sources, target } from "./sources.ts"

/** One entry of the search: a section of a page. */
interface Entry {
  readonly id: number
  readonly title: string
  readonly page: string
  readonly url: string
  readonly body: string
}

const entriesOf = (pages: ReadonlyArray<Page>): ReadonlyArray<Entry> =>
  pages
    .flatMap((page) =>
      page.rendered.sections.map(({ body, level, slug, text }) => ({
        title: text,
        page: titleOf(page),
        url: `${pathInSite(page.source.path)}${level === 1 ? "" : `#${slug}`}`,
        body
      }))
    )
    .map((entry, id) => ({ id, ...entry }))

const indexOf = (entries: ReadonlyArray<Entry>): string => {
  const search = new MiniSearch<Entry>({
    fields: ["title", "page", "body"],
    storeFields: ["title", "page", "url", "body"]
  })
  search.addAll(entries)
  // A script, and no JSON: browsers let no page of file:// fetch anything.
  return `globalThis.docsIndex = ${JSON.stringify(JSON.stringify(search))}\n`
}

/** Builds the site anew in a folder. */
export const build = async (folder: string): Promise<{ readonly pages: number; readonly sections: number }> => {
  const all = sources(apiPages())
  const paths = new Set(all.map(({ path }) => path))
  const files = new Set<string>()
  const pages = all.map((source) => ({
    source,
    rendered: render(source.markdown, (link) => {
      const { file, href } = target(source.path, link, paths)
      if (file !== undefined) files.add(file)
      return href
    })
  }))
  rmSync(folder, { recursive: true, force: true })
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
  for (const page of pages) write(pathInSite(page.source.path), html(page, pages))
  for (const file of files) {
    mkdirSync(dirname(join(folder, file)), { recursive: true })
    cpSync(join(root, file), join(folder, file))
  }
  const here = (file: string): string => join(import.meta.dirname, file)
  const entries = entriesOf(pages)
  write("assets/search-index.js", indexOf(entries))
  await bundle({
    input: here("client.ts"),
    logLevel: "warn",
    output: { file: join(folder, "assets/site.js"), format: "iife", minify: true }
  })
  copyFileSync(here("site.css"), join(folder, "assets/site.css"))
  copyFileSync(here("node_modules/minisearch/dist/umd/index.js"), join(folder, "assets/minisearch.js"))
  return { pages: pages.length, sections: entries.length }
}
