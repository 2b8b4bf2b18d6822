/** `npm ci` in a folder, several times: a registry that drops a connection fails it, and what came before is in npm's cache. */
import { spawnSync } from "node:child_process"

const mostTries = 4

/** Throws with what npm printed when the last try failed. */
export const npmCi = (folder: string, env: NodeJS.ProcessEnv = process.env): void => {
  const args = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"]
  for (let tries = 1; ; tries++) {
    const { error, status, stderr, stdout } = spawnSync("npm", args, { cwd: folder, env, encoding: "utf8" })
    if (status === 0) return
    if (tries === mostTries) throw new Error(`npm ${args.join(" ")} failed: ${error ?? ""}${stdout}${stderr}`)
  }
}
