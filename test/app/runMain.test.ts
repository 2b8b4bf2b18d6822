/** How a service ends: a drain is bounded, exits with 0 if it completes and with 1 if it is cut off or signalled again (P12). */
import { assert, describe, it } from "@effect/vitest"
import { type ChildProcess, spawn } from "node:child_process"
import { join } from "node:path"

const start = (...args: ReadonlyArray<number>) => {
  const child = spawn(process.execPath, [join(import.meta.dirname, "SlowService.ts"), ...args.map(String)])
  let output = ""
  child.stdout.on("data", (text: Buffer) => {
    output += text.toString()
  })
  const ended = new Promise<number | null>((resolve) => child.on("exit", resolve))
  const prints = (word: string) =>
    new Promise<void>((resolve, reject) => {
      const check = (): void => {
        if (output.includes(word)) resolve()
      }
      child.stdout.on("data", check)
      child.on("exit", () => reject(new Error(`ended without printing "${word}": ${output}`)))
      check()
    })
  return { child, ended, prints, output: () => output }
}

const terminate = (child: ChildProcess): void => {
  child.kill("SIGTERM")
}

describe("runMain", () => {
  it("S3, N14, P12: SIGTERM lets running handlers finish and exits with 0", async () => {
    const service = start(400)
    await service.prints("started")
    terminate(service.child)
    assert.strictEqual(await service.ended, 0)
    assert.include(service.output(), "finished")
  })

  it("S3, N14, P12: a handler that exceeds the drain timeout is cut off: exit code 1", async () => {
    const service = start(600_000, 500)
    await service.prints("started")
    terminate(service.child)
    assert.strictEqual(await service.ended, 1)
    assert.notInclude(service.output(), "finished")
  })

  it("S3, N14, P12: a second signal ends the process at once with 1 while it drains", async () => {
    // The drain would take longer than this test: only the second signal ends it.
    const service = start(600_000, 600_000)
    await service.prints("started")
    terminate(service.child)
    // Still alive a moment later means that the first signal started the drain; two signals at once could count as one.
    await new Promise((resolve) => setTimeout(resolve, 300))
    assert.isNull(service.child.exitCode)
    terminate(service.child)
    assert.strictEqual(await service.ended, 1)
  })

  it("S3, N14, P12: a process that exceeds its deadline is ended and logs it: exit code 1", async () => {
    const service = start(600_000, 600_000, 500)
    await service.prints("started")
    terminate(service.child)
    assert.strictEqual(await service.ended, 1)
    assert.include(service.output(), "did not end within 500 ms")
  })
})
