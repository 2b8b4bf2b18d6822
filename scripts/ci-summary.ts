/**
 * Prints how many tests passed and failed, from the JSON reports of the test runner. It is the last line of .ci/run.
 * The lines before it name each failed test with its messages, because an output of many megabytes is often cut.
 *
 * A test file that cannot be loaded has no tests; it counts as one failed test, because otherwise a broken import would
 * improve the numbers. Exits with 1 if a test failed, none ran or a report is missing.
 */
import { readFileSync } from "node:fs"

interface Report {
  readonly testResults: ReadonlyArray<{
    readonly name: string
    readonly status: string
    readonly message?: string
    readonly assertionResults: ReadonlyArray<{
      readonly status: string
      readonly fullName: string
      readonly failureMessages?: ReadonlyArray<string>
    }>
  }>
}

let missing = 0
const read = (path: string): Report => {
  try {
    return JSON.parse(readFileSync(path, "utf8"))
  } catch (error) {
    missing++
    process.stderr.write(`no test report: ${String(error)}\n`)
    return { testResults: [] }
  }
}

const testResults = process.argv.slice(2).flatMap((path) => read(path).testResults)
const tests = testResults.flatMap((file) => file.assertionResults.map((test) => test.status))
const passed = tests.filter((status) => status === "passed").length
const failedTests = tests.filter((status) => status === "failed").length
const brokenFiles = testResults.filter(
  (file) => file.status === "failed" && !file.assertionResults.some((test) => test.status === "failed")
).length
const failed = failedTests + brokenFiles
const skipped = tests.length - passed - failedTests

const MESSAGE_LIMIT = 2_000
const tell = (what: string, messages: ReadonlyArray<string> = []): void => {
  process.stdout.write(`failed: ${what}\n`)
  for (const message of messages)
    process.stdout.write(`  ${message.slice(0, MESSAGE_LIMIT).replaceAll("\n", "\n  ")}\n`)
}
for (const file of testResults) {
  const failures = file.assertionResults.filter((test) => test.status === "failed")
  for (const test of failures) tell(`${file.name} > ${test.fullName}`, test.failureMessages)
  if (file.status === "failed" && failures.length === 0) tell(file.name, [file.message ?? ""])
}

process.stdout.write(`tests: ${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}\n`)
process.exitCode = failed > 0 || missing > 0 || passed === 0 ? 1 : 0
