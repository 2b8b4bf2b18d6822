/** The library as npm gets it: built and packed, with what it needs taken from here, so that nothing is asked of the registry. */
import { execFileSync } from "node:child_process"
import { copyFileSync, mkdirSync, readFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join, resolve } from "node:path"

const root = resolve(import.meta.dirname, "../..")

export const manifest: { readonly version: string; readonly dependencies: object } = JSON.parse(
  readFileSync(join(root, "package.json"), "utf8")
)

/** npm starts the Node that it finds first. */
export const env = { HOME: tmpdir(), PATH: `${dirname(process.execPath)}:${process.env["PATH"] ?? ""}` }

/** Builds and packs it within this folder, and returns the dependencies of a program that uses it. */
export const pack = (folder: string): Readonly<Record<string, string>> => {
  const package_ = join(folder, "package")
  mkdirSync(package_)
  for (const file of ["package.json", "README.md", "LICENSE", "CHANGELOG.md"])
    copyFileSync(join(root, file), join(package_, file))
  execFileSync(process.execPath, ["scripts/build.ts", join(package_, "dist")], { cwd: root, stdio: "pipe" })
  // It is built already: the script that npm would run here is the same.
  const args = ["pack", "--ignore-scripts", "--silent", "--pack-destination", folder]
  const packed = execFileSync("npm", args, { cwd: package_, encoding: "utf8", env }).trim()
  const needed = [...Object.keys(manifest.dependencies), "effect"]
  return {
    "@eduflow/events": `file:${join(folder, packed)}`,
    ...Object.fromEntries(needed.map((name) => [name, `file:${join(root, "node_modules", name)}`]))
  }
}

/** Installs what the package.json of this folder names. */
export const install = (folder: string): void =>
  void execFileSync("npm", ["install", "--offline", "--ignore-scripts", "--no-audit", "--no-fund"], {
    cwd: folder,
    stdio: "pipe",
    env
  })
