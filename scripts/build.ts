/**
 * Builds dist: one file for each door and one for what is loaded later, and types beside them. Every file that is
 * imported costs a start half a millisecond or more to find, read and compile, and the sources are two hundred.
 *
 * The maps hold the sources: with `--enable-source-maps` a stack names them.
 */
import { execFileSync } from "node:child_process"
import { rmSync } from "node:fs"
import { join, resolve } from "node:path"
import { build } from "rolldown"

const root = resolve(import.meta.dirname, "..")
const folder = resolve(process.argv[2] ?? join(root, "dist"))

// No file of an older build is shipped.
rmSync(folder, { recursive: true, force: true })
execFileSync(
  process.execPath,
  [join(root, "node_modules/typescript/bin/tsc"), "--project", join(root, "tsconfig.build.json"), "--outDir", folder],
  { stdio: "inherit" }
)
await build({
  cwd: root,
  input: { index: "src/index.ts", "testing/index": "src/testing/index.ts", "catalog/index": "src/catalog/index.ts" },
  platform: "node",
  tsconfig: "tsconfig.build.json",
  // Packages stay what they are: effect above all must be one with the user's own.
  external: (id) => !id.startsWith(".") && !id.startsWith("/"),
  output: {
    dir: folder,
    format: "esm",
    sourcemap: true,
    chunkFileNames: "parts/[name].js",
    comments: { jsdoc: false }
  }
})
