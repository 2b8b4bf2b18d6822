/**
 * Bundled programs of the tests. The tests start some two hundred processes, and one that loads hundreds of
 * source files takes three times the CPU to start.
 */
import { createHash } from "node:crypto"
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs"
import { basename, join } from "node:path"
import { rolldown } from "rolldown"

const root = join(import.meta.dirname, "..", "..")
const folder = join(root, "node_modules", ".cache", "eventbus-programs")
const dayMillis = 24 * 60 * 60 * 1000

/** The clients stay packages: tests replace methods of their classes. */
const isExternal = (id: string): boolean =>
  id.startsWith("node:") || id === "amqplib" || id === "ioredis" || id === "pg" || id === "mysql2/promise"

/** The files of a program by their names, the one to run first. */
const bundle = async (source: string): Promise<ReadonlyArray<readonly [name: string, code: string]>> => {
  const build = await rolldown({
    cwd: root,
    input: { [basename(source, ".ts")]: source },
    platform: "node",
    tsconfig: "tsconfig.json",
    resolve: { conditionNames: ["@eduflow/source", "node", "import", "default"] },
    external: isExternal,
    logLevel: "silent"
  })
  try {
    const { output } = await build.generate({
      format: "esm",
      entryFileNames: "[name].mjs",
      chunkFileNames: "[name].mjs"
    })
    return output.flatMap((file) => (file.type === "chunk" ? [[file.fileName, file.code] as const] : []))
  } finally {
    await build.close()
  }
}

/** Programs of earlier versions of the sources. */
const removeOld = (): void => {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name)
    const age = Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0)
    if (age > dayMillis) rmSync(path, { recursive: true, force: true })
  }
}

/** Bundles a program, given by its path in the repository; returns the file to run. */
export const programOf = async (source: string): Promise<string> => {
  const files = await bundle(source)
  mkdirSync(folder, { recursive: true })
  removeOld()
  const hash = createHash("sha256").update(JSON.stringify(files)).digest("hex").slice(0, 16)
  const target = join(folder, `${basename(source, ".ts")}.${hash}`)
  const [[entry] = ["none"]] = files
  if (!existsSync(target)) {
    // Test files build at the same time: equal programs share a folder, which is whole from the start.
    const draft = mkdtempSync(join(folder, "draft-"))
    for (const [name, code] of files) writeFileSync(join(draft, name), code)
    try {
      renameSync(draft, target)
    } catch {
      rmSync(draft, { recursive: true, force: true }) // another one was faster
    }
  }
  return join(target, entry)
}
