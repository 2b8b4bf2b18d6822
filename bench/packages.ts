/** The clients that the benches compare with: packages of their own, which are installed when they are first needed. */
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

export const installPeers = (): void => {
  if (Object.entries(manifest.dependencies).every(isThere)) return
  execFileSync("npm", ["ci", "--ignore-scripts"], { cwd: here, stdio: ["ignore", 2, 2] })
}
