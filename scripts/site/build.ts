/**
 * `npm run docs` builds the documentation site into `site/`: static files that need no server and load nothing from
 * elsewhere. Its three packages are a package of their own beside this file, which the first run installs.
 *
 *   node scripts/site/build.ts [folder]
 */
import { existsSync } from "node:fs"
import { join, resolve } from "node:path"
import { npmCi } from "../npm-ci.ts"

const lock = join(import.meta.dirname, "node_modules/.package-lock.json")
if (!existsSync(lock)) npmCi(import.meta.dirname)

const { build } = await import("./site.ts")
const folder = resolve(process.argv[2] ?? join(import.meta.dirname, "../../site"))
const { pages, sections } = await build(folder)
console.log(`${pages} pages with ${sections} sections to search: ${join(folder, "index.html")}`)
