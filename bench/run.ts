/** `npm run bench`: installs the peers and builds the library, then measures. */
import { execFileSync } from "node:child_process"
import { join } from "node:path"
import { installPeers } from "./packages.ts"

installPeers()
execFileSync("npm", ["run", "build"], { cwd: join(import.meta.dirname, ".."), stdio: ["ignore", 2, 2] })
await import("./main.ts")
