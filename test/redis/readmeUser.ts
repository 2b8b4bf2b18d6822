/** The Redis user of the README: what it says is what the tests run as. */
import { readFileSync } from "node:fs"
import { join } from "node:path"

/** The arguments of `redis-cli` that make the user `eduflow`, as the README has them. */
export const readmeUser = (password: string): ReadonlyArray<string> => {
  const readme = readFileSync(join(import.meta.dirname, "../../README.md"), "utf8")
  const line = /^ACL SETUSER eduflow .*$/m.exec(readme)?.[0]
  if (line === undefined) throw new Error("the README does not say how to make the user")
  return line.split(" ").map((word) => (word === ">PASSWORD" ? `>${password}` : word))
}
