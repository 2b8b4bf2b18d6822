/** Empties dist before a build, so that no file of an older one is shipped. */
import { rmSync } from "node:fs"

rmSync(new URL("../dist", import.meta.url), { recursive: true, force: true })
