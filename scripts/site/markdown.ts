/** A page of Markdown as HTML: anchors as on GitHub, links within the site, tabs, code with colours, tables that scroll. */
import hljs from "highlight.js/lib/core"
import bash from "highlight.js/lib/languages/bash"
import ini from "highlight.js/lib/languages/ini"
import json from "highlight.js/lib/languages/json"
import sql from "highlight.js/lib/languages/sql"
import typescript from "highlight.js/lib/languages/typescript"
import yaml from "highlight.js/lib/languages/yaml"
import MarkdownIt, { type Token } from "markdown-it"
import { plain, Slugs } from "../headings.ts"

for (const [name, language] of Object.entries({ bash, ini, json, sql, typescript, yaml }))
  hljs.registerLanguage(name, language)
const spellings: Readonly<Record<string, string>> = { ts: "typescript", js: "typescript", sh: "bash", yml: "yaml" }

export interface Heading {
  readonly level: number
  readonly slug: string
  readonly text: string
}

/** What one can search: a heading with what stands below it, up to the next one. */
export interface Section extends Heading {
  readonly body: string
}

export interface Rendered {
  readonly title: string
  readonly html: string
  readonly headings: ReadonlyArray<Heading>
  readonly sections: ReadonlyArray<Section>
}

const escape = (text: string): string =>
  text.replace(/[&<>"]/g, (sign) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[sign] ?? "&quot;")

const highlighted = (code: string, info: string): string => {
  const language = spellings[info] ?? info
  return hljs.getLanguage(language) === undefined ? escape(code) : hljs.highlight(code, { language }).value
}

const md = new MarkdownIt({ html: true, linkify: false, typographer: false })
md.renderer.rules["fence"] = (tokens: ReadonlyArray<Token>, at: number): string => {
  const { content = "", info = "" } = tokens[at] ?? {}
  const language = info.trim().split(/\s/)[0] ?? ""
  return `<pre tabindex="0"><code class="language-${escape(language || "text")}">${highlighted(content, language)}</code></pre>\n`
}
// Long names may break between their parts, which narrow columns of tables need. Copying them copies nothing of it.
md.renderer.rules["code_inline"] = (tokens: ReadonlyArray<Token>, at: number): string =>
  `<code>${escape(tokens[at]?.content ?? "").replaceAll("_", "_<wbr>")}</code>`
md.renderer.rules["text"] = (tokens: ReadonlyArray<Token>, at: number): string =>
  escape(tokens[at]?.content ?? "").replace(/\w{16,}/g, (name) => name.replace(/(?<=[a-z])(?=[A-Z])/g, "<wbr>"))
md.renderer.rules["table_open"] = () => '<div class="table" tabindex="0"><table>\n'
md.renderer.rules["table_close"] = () => "</table></div>\n"

/** `**Effect**` alone in a paragraph, between the marks of tabs, begins a tab of that name. */
const tabName = (tokens: ReadonlyArray<Token>, at: number): string | undefined =>
  tokens[at]?.type === "paragraph_open" ? /^\*\*([^*]+)\*\*$/.exec(tokens[at + 1]?.content ?? "")?.[1] : undefined

const htmlToken = (content: string): Token => {
  const token = new md.core.State("", md, {}).Token
  const made = new token("html_block", "", 0)
  made.content = content
  return made
}

const withTabs = (tokens: ReadonlyArray<Token>): Array<Token> => {
  const result: Array<Token> = []
  let inTabs = false
  let open = false
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at]
    if (token === undefined) break
    const mark = token.type === "html_block" ? token.content.trim() : ""
    if (mark === "<!-- tabs -->") {
      inTabs = true
      open = false
      result.push(htmlToken('<div class="tabs">\n'))
      continue
    }
    if (mark === "<!-- /tabs -->") {
      result.push(htmlToken(open ? "</section></div>\n" : "</div>\n"))
      inTabs = false
      continue
    }
    const name = inTabs ? tabName(tokens, at) : undefined
    if (name === undefined) {
      result.push(token)
      continue
    }
    result.push(htmlToken(`${open ? "</section>" : ""}${tabOpening(name)}`))
    open = true
    at += 2
  }
  return result
}

const tabOpening = (name: string): string =>
  `<section class="tab" data-tab="${escape(name)}"><p class="tab-name">${escape(name)}</p>\n`

const textOf = (tokens: ReadonlyArray<Token>): string =>
  tokens
    .map(({ children, content, type }) =>
      type === "inline" && children !== null && children !== undefined
        ? children.map((child) => (child.type === "softbreak" ? " " : child.content)).join("")
        : type === "fence"
          ? content
          : ""
    )
    .filter((text) => text.trim() !== "")
    .join(" ")
    .replace(/\s+/g, " ")

export const render = (markdown: string, hrefOf: (link: string) => string): Rendered => {
  const tokens = withTabs(md.parse(markdown, {}))
  const slugs = new Slugs()
  const headings: Array<Heading & { readonly at: number }> = []
  tokens.forEach((token, at) => {
    if (token.type === "heading_open") {
      const written = tokens[at + 1]?.content ?? ""
      const slug = slugs.next(written)
      headings.push({ level: Number(token.tag.slice(1)), slug, text: plain(written), at })
      token.attrSet("id", slug)
      tokens[at + 1]?.children?.push(...(md.parseInline(`[#](#${slug} "Link to this section")`, {})[0]?.children ?? []))
    }
    for (const child of token.children ?? []) {
      const name = child.type === "link_open" ? "href" : child.type === "image" ? "src" : undefined
      const link = name === undefined ? null : child.attrGet(name)
      if (name === undefined || typeof link !== "string") continue
      if (/^\w+:/.test(link)) child.attrSet("rel", "noreferrer")
      else child.attrSet(name, hrefOf(link))
      if (child.attrGet("title") === "Link to this section") child.attrSet("class", "anchor")
    }
    for (const one of [token, ...(token.children ?? [])])
      if (one.type === "html_block" || one.type === "html_inline")
        one.content = one.content.replace(
          /(src|href)="(?!\w+:)([^"]+)"/g,
          (_, name, link) => `${name}="${hrefOf(link)}"`
        )
  })
  const sections = headings.map(({ at, ...heading }, n) => ({
    ...heading,
    body: textOf(tokens.slice(at + 3, headings[n + 1]?.at ?? tokens.length))
  }))
  return {
    title: headings[0]?.text ?? "",
    html: md.renderer.render(tokens, md.options, {}),
    headings: headings.map(({ level, slug, text }) => ({ level, slug, text })),
    sections
  }
}
