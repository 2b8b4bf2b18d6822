/** `npm run bench`: installs the peers and builds the library, then measures. */
import { execFileSync } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"

const here = import.meta.dirname
const read = (file: string): string | undefined => (existsSync(file) ? readFileSync(file, "utf8") : undefined)
const manifest: { readonly dependencies: Readonly<Record<string, string>> } = JSON.parse(
  readFileSync(join(here, "package.json"), "utf8")
)
const isThere = ([name, version]: readonly [string, string]): boolean =>
  read(join(here, "node_modules", name, "package.json"))?.includes(`"version": "${version}"`) === true

const run = (command: string, args: ReadonlyArray<string>, cwd: string): void => {
  execFileSync(command, args, { cwd, stdio: ["ignore", 2, 2] })
}

if (!Object.entries(manifest.dependencies).every(isThere)) run("npm", ["ci", "--ignore-scripts"], here)
run("npm", ["run", "build"], join(here, ".."))
await import("./main.ts")
