/**
 * A wall clock that a test steps, for a server of this machine: by libfaketime, which is Debian's package of that name.
 * Monotonic time goes on. Without the package, in a container or in a root of its own there is no such clock.
 */
import { copyFileSync, readdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"

export interface SteppedClock {
  /** For the environment of the server. */
  readonly env: Readonly<Record<string, string>>
  /** Sets the clock of the server this far from the true one. The server follows within a second. */
  readonly set: (millis: number) => void
}

const libraries = "/usr/lib"
const library = "faketime/libfaketimeMT.so.1"

/** The library, in the folder of this machine's kind of processor. */
const find = (): string | undefined => {
  const folders = readdirSync(libraries).filter((name) => name.endsWith("-linux-gnu"))
  for (const folder of folders) {
    const names = readdirSync(join(libraries, folder))
    if (names.includes("faketime")) return join(libraries, folder, library)
  }
  return undefined
}

/** `folder` is the server's own. */
export const steppedClock = (folder: string): SteppedClock | undefined => {
  const found = find()
  if (found === undefined) return undefined
  const [copy, clock] = [join(folder, "libfaketime.so"), join(folder, "clock")]
  copyFileSync(found, copy)
  const set = (millis: number): void => writeFileSync(clock, `${millis < 0 ? "-" : "+"}${Math.abs(millis / 1000)}\n`)
  set(0)
  return {
    set,
    env: {
      // libfaketime and jemalloc need each other to begin, so memory comes from the C library.
      LD_PRELOAD: `${copy} ${found.slice(0, -library.length)}libc.so.6`,
      FAKETIME_TIMESTAMP_FILE: clock,
      FAKETIME_CACHE_DURATION: "1",
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
      DONT_FAKE_MONOTONIC: "1" // its name before 0.9.9
    }
  }
}
