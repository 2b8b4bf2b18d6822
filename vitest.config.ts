import { tmpdir } from "node:os"
import { join } from "node:path"
import { defineConfig } from "vitest/config"

// Each test file is a process that loads all of effect: what V8 has compiled once need not be compiled by each.
process.env["NODE_COMPILE_CACHE"] ??= join(tmpdir(), "eventbus-compile-cache")

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: ["test/support/globalSetup.ts"],
    testTimeout: 30_000,
    hookTimeout: 120_000,
    pool: "forks", // as fast as threads here, and a test file that crashes takes nothing else with it
    maxWorkers: 2,
    // .ci/run counts from this report; with a reporter named on the command line it would have to change `npm test`.
    reporters: process.env["CI"] === "true" ? ["default", "json"] : ["default"],
    outputFile: { json: "test-report.json" }
  }
})
