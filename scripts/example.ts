/** `npm run example -- NAME` runs one file of examples/; those that connect use the embedded bus unless EVENTBUS_URL says otherwise. */
import { spawnSync } from "node:child_process"
import { globSync } from "node:fs"
import { join } from "node:path"
import { installClients } from "./client-packages.ts"
import { compiledNest } from "./compile-nest.ts"

const folder = join(import.meta.dirname, "../examples")
const names = [
  "nestjs",
  ...globSync("{*,outbox/*,outbox/clients/*}.ts", { cwd: folder })
    .filter((file) => !file.endsWith(".test.ts") && file !== "outbox/clients/refunds.ts")
    .map((file) => file.slice(0, -".ts".length))
].toSorted()

const [name = ""] = process.argv.slice(2)

if (!names.includes(name)) {
  console.error(`"${name}" is not an example. Choose one of: ${names.join(", ")}`)
  process.exitCode = 1
} else {
  if (name.startsWith("outbox/clients/")) installClients()
  const { status } = spawnSync(
    process.execPath,
    [
      "--conditions=@eduflow/source",
      name === "nestjs" ? await compiledNest() : join(folder, `${name}.ts`),
      ...process.argv.slice(3)
    ],
    { stdio: "inherit", env: { EVENTBUS_URL: "memory://", ...process.env } }
  )
  process.exitCode = status ?? 1
}
