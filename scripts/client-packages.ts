/**
 * The clients of databases in `examples/outbox/clients`, and the libraries of `examples/migrate`. They are packages of their own,
 * so that none of them reaches a user; they are installed when an example or its test first needs them.
 */
import { spawnSync } from "node:child_process"
import { existsSync, rmSync, symlinkSync } from "node:fs"
import { join } from "node:path"
import { npmCi } from "./npm-ci.ts"

const examples = join(import.meta.dirname, "../examples")
const folder = join(examples, "outbox/clients")

const run = (command: string, args: ReadonlyArray<string>, cwd: string, env: NodeJS.ProcessEnv = {}): void => {
  const { error, status, stderr, stdout } = spawnSync(command, args, {
    cwd,
    env: { ...process.env, ...env },
    encoding: "utf8"
  })
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} failed: ${error ?? ""}${stdout}${stderr}`)
}

/** Installs `packages` of a folder of examples. */
const installBeside = (folder: string): void => {
  const packages = join(folder, "packages")
  if (!existsSync(join(packages, "node_modules/.package-lock.json"))) npmCi(packages)
  // Beside the examples, which belong to the package of the repository and import it by its name.
  if (existsSync(join(folder, "node_modules"))) return
  rmSync(join(folder, "node_modules"), { force: true })
  symlinkSync("packages/node_modules", join(folder, "node_modules"))
}

export const installMigrate = (): void => installBeside(join(examples, "migrate"))

export const installClients = (): void => {
  installBeside(folder)
  if (!existsSync(join(folder, "prisma/generated")))
    run(
      process.execPath,
      ["node_modules/prisma/build/index.js", "generate", "--schema", "prisma/schema.prisma"],
      folder,
      // Generating runs no engine, but looks for one, and would download it.
      { PRISMA_SCHEMA_ENGINE_BINARY: process.execPath }
    )
}
