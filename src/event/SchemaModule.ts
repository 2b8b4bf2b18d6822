/**
 * Effect's Schema modules, loaded when they are first needed. They are more than half of what `import "effect"`
 * costs, and a process that only names the bus needs none of them.
 *
 * The layers of the bus load them by `import()`. Code that runs before any layer was built (decoding by a group, an
 * error used as a schema) loads them on the spot, which for a module that the process has imported already is a
 * look-up. A bundler that puts the process into one file sees the `import()`, and not the second way.
 */
import type * as Schema from "effect/Schema"
import type * as SchemaAST from "effect/SchemaAST"
import type * as SchemaIssue from "effect/SchemaIssue"
import type * as SchemaJITCompiler from "effect/schema/SchemaJITCompiler"
import type * as SchemaParser from "effect/SchemaParser"
import { createRequire } from "node:module"

export interface SchemaModules {
  readonly Schema: typeof Schema
  readonly SchemaAST: typeof SchemaAST
  readonly SchemaIssue: typeof SchemaIssue
  readonly SchemaJITCompiler: typeof SchemaJITCompiler
  readonly SchemaParser: typeof SchemaParser
}

let loaded: SchemaModules | undefined

/** Loads the modules. */
export const load = async (): Promise<SchemaModules> => {
  if (loaded === undefined) {
    const [Schema, SchemaAST, SchemaIssue, SchemaJITCompiler, SchemaParser] = await Promise.all([
      import("effect/Schema"),
      import("effect/SchemaAST"),
      import("effect/SchemaIssue"),
      import("effect/schema/SchemaJITCompiler"),
      import("effect/SchemaParser")
    ])
    loaded = { Schema, SchemaAST, SchemaIssue, SchemaJITCompiler, SchemaParser }
  }
  return loaded
}

/** The modules, loaded now where nothing has loaded them. */
export const modules = (): SchemaModules => {
  if (loaded === undefined) {
    const require = createRequire(import.meta.url)
    loaded = {
      Schema: require("effect/Schema"),
      SchemaAST: require("effect/SchemaAST"),
      SchemaIssue: require("effect/SchemaIssue"),
      SchemaJITCompiler: require("effect/schema/SchemaJITCompiler"),
      SchemaParser: require("effect/SchemaParser")
    }
  }
  return loaded
}
