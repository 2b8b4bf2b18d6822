/** Debian's Chromium for tests of the page, driven by playwright-core, which brings no browser of its own. */
import { type Browser, chromium } from "playwright-core"
import { describe, it } from "vitest"
import { canInstall, install } from "./install.ts"
import { findTool } from "./provision.ts"

const names = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"]

const find = (): string | undefined => names.map(findTool).find((path) => path !== undefined)

/** Why there is no browser here, or undefined. Installs Debian's package where that is possible. */
export const missing = async (): Promise<string | undefined> => {
  if (process.env["EVENTBUS_NO_BROKERS"] === "1") return "EVENTBUS_NO_BROKERS is set"
  if (find() !== undefined) return undefined
  if (!canInstall()) return "Chromium is not installed"
  try {
    await install(["chromium"])
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
  return find() === undefined ? "Debian's chromium brings no program of this name" : undefined
}

/** `describe` for a suite that needs a browser. Without one it is skipped; with CI=true it fails. */
export const describeInBrowser = (name: string, reason: string | undefined, suite: () => void): void => {
  if (reason === undefined) return suite()
  describe(name, () => {
    if (process.env["CI"] !== "true") return it.skip(`skipped, ${reason}`, () => {})
    it("has the browser it needs", () => {
      throw new Error(`CI=true and no browser: ${reason}`)
    })
  })
}

/** What it shows here comes from this machine alone, so it needs no sandbox, which root could not use. */
export const launch = (): Promise<Browser> => {
  const executablePath = find()
  if (executablePath === undefined) throw new Error("Chromium is not installed")
  return chromium.launch({ executablePath, chromiumSandbox: false })
}
