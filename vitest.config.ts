import { defineConfig } from "vitest/config"

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
