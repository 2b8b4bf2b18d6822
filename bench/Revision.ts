/** Another revision of this repository in a folder of its own, so that both can be measured side by side. */
import { execFileSync } from "node:child_process"
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

export interface CheckedOut {
  /** Its `bench/`. */
  readonly folder: string
  /** Its commit, shortened. */
  readonly commit: string
  readonly remove: () => void
}

const root = join(import.meta.dirname, "..")

const git = (...args: ReadonlyArray<string>): string =>
  execFileSync("git", args, { cwd: root, encoding: "utf8" }).trim()

/** Checks a revision out, with the packages that its lock names. Throws where git does not know it. */
export const checkOut = (revision: string): CheckedOut => {
  let commit: string
  try {
    commit = git("rev-parse", "--short", "--verify", `${revision}^{commit}`)
  } catch {
    throw new Error(`--compare ${revision}: git knows no such revision. Give a commit, a tag or a branch`)
  }
  const checkout = join(mkdtempSync(join(tmpdir(), "eventbus-bench-")), commit)
  const remove = (): void => {
    git("worktree", "remove", "--force", checkout)
    rmSync(join(checkout, ".."), { recursive: true, force: true })
  }
  git("worktree", "add", "--detach", checkout, commit)
  try {
    for (const part of ["", "bench"]) packages(join(root, part), join(checkout, part))
    const folder = join(checkout, "bench")
    if (!existsSync(join(folder, "worker.ts")))
      throw new Error(`--compare ${revision}: that revision has no benchmark that this one can run`)
    return { folder, commit, remove }
  } catch (error) {
    remove()
    throw error
  }
}

/** Those of this checkout where the lock is the same. */
const packages = (from: string, to: string): void => {
  const [own, other] = [from, to].map((folder) => {
    const lock = join(folder, "package-lock.json")
    return existsSync(lock) ? readFileSync(lock, "utf8") : undefined
  })
  if (other === undefined) return
  if (own === other) symlinkSync(join(from, "node_modules"), join(to, "node_modules"))
  else execFileSync("npm", ["ci", "--ignore-scripts"], { cwd: to, stdio: ["ignore", 2, 2] })
}
