/**
 * A reporter of what fails a run beside its tests: errors that no test caught, such as a rejection that nobody awaited or
 * a worker that died. Vitest exits with 1 for them, and its JSON report does not name them.
 *
 * It writes them beside the JSON report, as `<report>.errors.json`; scripts/ci-summary.ts reads that.
 */
import { rmSync, writeFileSync } from "node:fs"
import type { Reporter, SerializedError } from "vitest/node"

/** Where the errors of the run with this JSON report are. */
export const errorsOf = (report: string): string => report.replace(/\.json$/, ".errors.json")

const textOf = ({ message, name, stack }: SerializedError): string => {
  const said = `${name ?? "Error"}: ${message}`
  return stack === undefined || stack === "" ? said : stack.includes(message) ? stack : `${said}\n${stack}`
}

export class RunErrors implements Reporter {
  readonly #path: string

  constructor(report: string) {
    this.#path = errorsOf(report)
  }

  onInit(): void {
    rmSync(this.#path, { force: true })
  }

  onTestRunEnd(_modules: unknown, errors: ReadonlyArray<SerializedError>): void {
    if (errors.length > 0) writeFileSync(this.#path, JSON.stringify(errors.map(textOf)))
  }
}
