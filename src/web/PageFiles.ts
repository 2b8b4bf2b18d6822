/**
 * The files of the page, as they are served: built ones from `page/` beside the built parts, or the sources, whose types
 * Node takes away. The page holds nothing secret and no data: it asks the API for all that it shows.
 */
import { readdirSync, readFileSync } from "node:fs"
import * as module from "node:module"
import { extname, join, relative, sep } from "node:path"
import { fileURLToPath } from "node:url"

export interface PageFile {
  readonly type: string
  readonly bytes: Buffer
}

/** In the sources `src/page`, in the package `dist/page`. */
const folder = fileURLToPath(new URL("../page/", import.meta.url))

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".js": "text/javascript; charset=utf-8",
  ".ts": "text/javascript; charset=utf-8"
}

/**
 * Scripts and styles are files of this server, and nothing else runs: no inline script or style, no text that becomes
 * markup (`require-trusted-types-for`), no form that is sent away, no frame around it.
 */
export const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'"
].join("; ")

let files: ReadonlyMap<string, PageFile> | undefined

/** By path. Empty where the package was bundled into one file, without its page. */
export const load = (): ReadonlyMap<string, PageFile> => (files ??= read())

const read = (): ReadonlyMap<string, PageFile> => {
  const found = new Map<string, PageFile>()
  for (const name of namesIn(folder)) {
    const kind = extname(name)
    const type = types[kind]
    if (type === undefined || name.endsWith(".d.ts")) continue
    const bytes = readFileSync(join(folder, name))
    const path = name === "index.html" ? "/" : `/page/${name.split(sep).join("/").replace(/\.ts$/, ".js")}`
    found.set(path, { type, bytes: kind === ".ts" ? stripped(bytes) : bytes })
  }
  return found
}

const namesIn = (folder: string): ReadonlyArray<string> => {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
  } catch {
    return []
  }
}

const stripped = (source: Buffer): Buffer =>
  Buffer.from(module.stripTypeScriptTypes(source.toString("utf8")).replace(/(from "\.[^"]+)\.ts"/g, '$1.js"'))
