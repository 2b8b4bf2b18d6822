/**
 * Builds dist: one file for each entry point, one for each lazily loaded part, and types beside them. Every imported
 * file costs a start half a millisecond or more to find, read and compile, and there are hundreds of source files.
 *
 * The source maps contain the sources: with `--enable-source-maps`, stack traces refer to them.
 */
import { execFileSync } from "node:child_process"
import { copyFileSync, rmSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { build } from "rolldown"
import { pages } from "../src/cli/HelpPages.ts"

const root = resolve(import.meta.dirname, "..")
const folder = resolve(process.argv[2] ?? join(root, "dist"))

// Files of an older build must not be shipped.
rmSync(folder, { recursive: true, force: true })
execFileSync(
  process.execPath,
  [join(root, "node_modules/typescript/bin/tsc"), "--project", join(root, "tsconfig.build.json"), "--outDir", folder],
  { stdio: "inherit" }
)

type ModuleInfo = (id: string) => { readonly importedIds: ReadonlyArray<string> } | null

/** The sources that a door imports at once, as the bundler knows them. */
const importedBy = (door: string, module: ModuleInfo): ReadonlySet<string> => {
  const found = new Set([join(root, door)])
  for (const id of found) for (const imported of module(id)?.importedIds ?? []) found.add(imported)
  return found
}
let door: ReadonlySet<string> | undefined

await build({
  cwd: root,
  input: {
    index: "src/index.ts",
    "testing/index": "src/testing/index.ts",
    "ports/index": "src/ports/index.ts",
    "catalog/index": "src/catalog/index.ts",
    "outbox/index": "src/outbox/index.ts",
    "nest/index": "src/nest/index.ts",
    "cli/main": "src/cli/main.ts"
  },
  platform: "node",
  tsconfig: "tsconfig.build.json",
  // Packages are not bundled: effect above all must be the same copy as the user's.
  external: (id) => !id.startsWith(".") && !id.startsWith("/"),
  output: {
    dir: folder,
    format: "esm",
    sourcemap: true,
    chunkFileNames: "parts/[name].js",
    banner: (chunk) => (chunk.name === "cli/main" ? "#!/usr/bin/env node\n" : ""),
    // What the main door shares with other doors is one file. By itself it would be one for each set of doors.
    codeSplitting: {
      groups: [
        {
          debugName: "door",
          name: (id, context) => {
            door ??= importedBy("src/index.ts", (id) => context.getModuleInfo(id))
            return door.has(id) ? "door" : null
          }
        }
      ]
    },
    comments: { jsdoc: false }
  }
})

// The page of the operations: one script for browsers, and what belongs to it.
await build({
  cwd: root,
  input: "src/page/main.ts",
  platform: "browser",
  tsconfig: "src/page/tsconfig.json",
  output: { file: join(folder, "page/main.js"), format: "esm", minify: true }
})
for (const file of ["index.html", "style.css", "icon.svg"])
  copyFileSync(join(root, "src/page", file), join(folder, "page", file))

// Help is asked for more often than anything else, and needs nothing else.
writeFileSync(join(folder, "cli/pages.json"), JSON.stringify(await pages()))
