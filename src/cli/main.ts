/**
 * The command `eventbus`. Help, the version and completions are pages that were written when the package was built:
 * they load nothing. Everything else is loaded when it is needed.
 */
import { readFileSync } from "node:fs"
import * as module from "node:module"
import type { Pages } from "./HelpPages.ts"

const args = process.argv.slice(2)

/** Absent where the sources themselves run. */
const readPages = (): Pages | undefined => {
  try {
    return JSON.parse(readFileSync(new URL("pages.json", import.meta.url), "utf8"))
  } catch {
    return undefined
  }
}

const hasColor = (): boolean => {
  const { FORCE_COLOR, NO_COLOR, TERM } = process.env
  if (TERM === "dumb" || (NO_COLOR ?? "") !== "") return false
  return process.stdout.isTTY || ((FORCE_COLOR ?? "") !== "" && FORCE_COLOR !== "0" && FORCE_COLOR !== "false")
}

/** The page that these arguments ask for, and nothing else. */
const pageOf = (): string | undefined => {
  const last = args.at(-1) ?? ""
  const asks = /^(?:-h|--help|-v|--version|--completions=\w+)$/
  if (!asks.test(last) || args.slice(0, -1).some((word) => word.startsWith("-"))) return undefined
  const pages = readPages()
  if (pages === undefined) return undefined
  if (last === "-v" || last === "--version") return args.length === 1 ? pages.version : undefined
  if (last.startsWith("--completions=")) return args.length === 1 ? pages.completions[last.slice(14)] : undefined
  return pages.help[args.slice(0, -1).join(" ")]?.[hasColor() ? "color" : "plain"]
}

const page = pageOf()
if (page === undefined) {
  module.enableCompileCache?.()
  const { run } = await import("./Run.ts")
  await run(args)
} else process.stdout.write(`${page}\n`)
