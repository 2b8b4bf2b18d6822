/**
 * The last line of .ci/run: how many tests passed and failed, by the runner's own JSON report.
 *
 * A test file that could not even be loaded holds no tests; it counts as one failed test, or else a
 * broken import would make the numbers look better. Exits with 1 when a test failed or none ran.
 */
import { readFileSync } from "node:fs"

interface Report {
  readonly testResults: ReadonlyArray<{
    readonly status: string
    readonly assertionResults: ReadonlyArray<{ readonly status: string }>
  }>
}

const read = (path: string): Report => {
  try {
    return JSON.parse(readFileSync(path, "utf8"))
  } catch (error) {
    process.stderr.write(`no test report: ${String(error)}\n`)
    return { testResults: [] }
  }
}

const { testResults } = read(process.argv[2] ?? "test-report.json")
const tests = testResults.flatMap((file) => file.assertionResults.map((test) => test.status))
const passed = tests.filter((status) => status === "passed").length
const failedTests = tests.filter((status) => status === "failed").length
const brokenFiles = testResults.filter(
  (file) => file.status === "failed" && !file.assertionResults.some((test) => test.status === "failed")
).length
const failed = failedTests + brokenFiles
const skipped = tests.length - passed - failedTests

process.stdout.write(`tests: ${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}\n`)
process.exitCode = failed > 0 || passed === 0 ? 1 : 0
