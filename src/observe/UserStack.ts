/**
 * The frames of a stack that lead to code of the user: those of Node, of installed packages and of this library are
 * left out. Whoever reads an error wants to know which line of their own is at fault.
 */
import { readFileSync } from "node:fs"
import { sep } from "node:path"
import { fileURLToPath } from "node:url"

/**
 * The folders of this library, where it is no installed package: as source, or built in a workspace. Code that bundles
 * it is not taken for it.
 */
const findOwn = (): ReadonlyArray<string> => {
  const file = fileURLToPath(import.meta.url).replaceAll("\\", "/")
  for (const folder of ["/src/", "/dist/"]) {
    const root = file.slice(0, Math.max(0, file.lastIndexOf(folder)))
    try {
      const { name } = JSON.parse(readFileSync(`${root}/package.json`, "utf8"))
      if (name === "@eduflow/events") return [`${root}/src/`, `${root}/dist/`]
    } catch {
      // No package is there.
    }
  }
  return []
}
let own: ReadonlyArray<string> | undefined

/** The stack of a thrown value may be of any length. */
const maxLength = 16_384

const isFrame = (line: string): boolean => /^\s*at /.test(line)

const isOwn = (frame: string): boolean => (own ??= findOwn()).some((folder) => frame.includes(folder))

const isForeign = (frame: string): boolean =>
  frame.includes("node:") ||
  frame.includes(`${sep}node_modules${sep}`) ||
  frame.includes("/node_modules/") ||
  frame.includes("(native)") ||
  frame.includes("<anonymous>") ||
  /at (?:async )?Promise\.\w+ \(index \d+\)/.test(frame) ||
  isOwn(frame.replaceAll("\\", "/"))

/** The lines of a stack that are frames of user code, as V8 writes them. */
export const userFrames = (stack: string): ReadonlyArray<string> =>
  stack
    .slice(0, maxLength)
    .split("\n")
    .filter((line) => isFrame(line) && !isForeign(line))

/** The first of them, such as `charge (file:///app/src/billing.ts:12:9)`; undefined where there is none. */
export const firstUserFrame = (stack: string): string | undefined =>
  userFrames(stack)[0]?.replace(/^\s*at (?:async )?/, "")
