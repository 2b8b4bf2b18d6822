/**
 * The clients of databases in `examples/outbox/clients`. They are a package of their own, so that none of them reaches a user;
 * they are installed when an example or its test first needs them.
 */
import { spawnSync } from "node:child_process"
import { existsSync, rmSync, symlinkSync } from "node:fs"
import { join } from "node:path"
import { npmCi } from "./npm-ci.ts"

const folder = join(import.meta.dirname, "../examples/outbox/clients")
const packages = join(folder, "packages")

const run = (command: string, args: ReadonlyArray<string>, cwd: string, env: NodeJS.ProcessEnv = {}): void => {
  const { error, status, stderr, stdout } = spawnSync(command, args, {
    cwd,
    env: { ...process.env, ...env },
    encoding: "utf8"
  })
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} failed: ${error ?? ""}${stdout}${stderr}`)
}

export const installClients = (): void => {
  if (!existsSync(join(packages, "node_modules/.package-lock.json"))) npmCi(packages)
  // Beside the examples, which belong to the package of the repository and import it by its name.
  if (!existsSync(join(folder, "node_modules"))) {
    rmSync(join(folder, "node_modules"), { force: true })
    symlinkSync("packages/node_modules", join(folder, "node_modules"))
  }
  if (!existsSync(join(folder, "prisma/generated")))
    run(
      process.execPath,
      ["node_modules/prisma/build/index.js", "generate", "--schema", "prisma/schema.prisma"],
      folder,
      // Generating runs no engine, but looks for one, and would download it.
      { PRISMA_SCHEMA_ENGINE_BINARY: process.execPath }
    )
}
