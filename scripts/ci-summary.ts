/**
 * Prints how many tests passed and failed, from the JSON reports of the test runner. It is the last line of .ci/run.
 * The lines before it name each failed test with its messages, because an output of many megabytes is often cut.
 *
 * A test file that cannot be loaded has no tests; it counts as one failed test, because otherwise a broken import would
 * improve the numbers, and so does an error outside of the tests. Exits with 1 if something failed, no test ran, a report
 * is missing, or more than `MOST_UNSTABLE` tests passed at their second try only (test/support/live.ts): then it is not
 * the machine.
 */
import { existsSync, readFileSync } from "node:fs"
import { errorsOf } from "../test/support/RunErrors.ts"

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

const reports = process.argv.slice(2)
const testResults = reports.flatMap((path) => read(path).testResults)
const uncaught = reports.flatMap((path) =>
  existsSync(errorsOf(path))
    ? (JSON.parse(readFileSync(errorsOf(path), "utf8")) as ReadonlyArray<string>).map((text) => ({ path, text }))
    : []
)
const tests = testResults.flatMap((file) => file.assertionResults.map((test) => test.status))
const passed = tests.filter((status) => status === "passed").length
const failedTests = tests.filter((status) => status === "failed").length
const brokenFiles = testResults.filter(
  (file) => file.status === "failed" && !file.assertionResults.some((test) => test.status === "failed")
).length
const failed = failedTests + brokenFiles + uncaught.length
const skipped = tests.length - passed - failedTests

const MESSAGE_LIMIT = 2_000
const MOST_UNSTABLE = 5
let unstable = 0
const tell = (how: "failed" | "unstable", what: string, messages: ReadonlyArray<string> = []): void => {
  process.stdout.write(`${how}: ${what}\n`)
  for (const message of messages)
    process.stdout.write(`  ${message.slice(0, MESSAGE_LIMIT).replaceAll("\n", "\n  ")}\n`)
}
for (const file of testResults) {
  const failures = file.assertionResults.filter((test) => test.status === "failed")
  for (const test of failures) tell("failed", `${file.name} > ${test.fullName}`, test.failureMessages)
  if (file.status === "failed" && failures.length === 0) tell("failed", file.name, [file.message ?? ""])
  // The messages of a test that passed are those of its first try.
  for (const { failureMessages = [], fullName, status } of file.assertionResults)
    if (status === "passed" && failureMessages.length > 0) {
      unstable++
      tell("unstable", `${file.name} > ${fullName}`, failureMessages)
    }
}

for (const { path, text } of uncaught) tell("failed", `outside of the tests, see ${path}`, [text])

const further = [
  skipped > 0 ? `, ${skipped} skipped` : "",
  unstable > 0 ? `, ${unstable} of the passed ones at their second try` : ""
]
process.stdout.write(`tests: ${passed} passed, ${failed} failed${further.join("")}\n`)
process.exitCode = failed > 0 || missing > 0 || passed === 0 || unstable > MOST_UNSTABLE ? 1 : 0
