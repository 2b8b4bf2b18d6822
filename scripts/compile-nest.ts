/** Compiles the example of NestJS: its decorators are no JavaScript yet. */
import { join } from "node:path"
import { build } from "rolldown"

const folder = join(import.meta.dirname, "../examples")

/** The program. It lies within the repository, which is the package that it imports. */
export const compiledNest = async (): Promise<string> => {
  const out = join(folder, ".compiled")
  await build({
    input: join(folder, "nestjs/main.ts"),
    tsconfig: join(folder, "nestjs/tsconfig.json"),
    platform: "node",
    // The helpers of the compiler are part of what it makes.
    external: (id) => !/^(?:[./]|@oxc-project\/)/.test(id),
    output: { dir: out, format: "esm", preserveModules: true, preserveModulesRoot: folder }
  })
  return join(out, "nestjs/main.js")
}
