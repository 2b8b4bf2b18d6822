/** The Redis user of the guide: the suites run with exactly the permissions that it documents. */
import { readFileSync } from "node:fs"
import { join } from "node:path"

const guide = "docs/guides/last-known-events.md"

/** The arguments of `redis-cli` that create the user `eduflow`, as the guide has them. */
export const guideUser = (password: string): ReadonlyArray<string> => {
  const page = readFileSync(join(import.meta.dirname, "../..", guide), "utf8")
  const line = /^ACL SETUSER eduflow .*$/m.exec(page)?.[0]
  if (line === undefined) throw new Error(`${guide} does not show how to create the Redis user`)
  return line.split(" ").map((word) => (word === ">PASSWORD" ? `>${password}` : word))
}
