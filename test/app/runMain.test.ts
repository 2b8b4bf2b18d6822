/** How a service ends: drained is 0, cut off is 1, a second signal is 1 at once (P12). */
import { assert, describe, it } from "@effect/vitest"
import { type ChildProcess, spawn } from "node:child_process"
import { join } from "node:path"

const start = (...args: ReadonlyArray<number>) => {
  const child = spawn(process.execPath, [join(import.meta.dirname, "slow.ts"), ...args.map(String)])
  let output = ""
  child.stdout.on("data", (text: Buffer) => {
    output += text.toString()
  })
  const ended = new Promise<number | null>((resolve) => child.on("exit", resolve))
  const says = (word: string) =>
    new Promise<void>((resolve, reject) => {
      const look = (): void => {
        if (output.includes(word)) resolve()
      }
      child.stdout.on("data", look)
      child.on("exit", () => reject(new Error(`ended without saying "${word}": ${output}`)))
      look()
    })
  return { child, ended, says, output: () => output }
}

const terminate = (child: ChildProcess): void => {
  child.kill("SIGTERM")
}

describe("runMain", () => {
  it("S3, N14, P12: SIGTERM finishes what runs and exits with 0", async () => {
    const service = start(400)
    await service.says("started")
    terminate(service.child)
    assert.strictEqual(await service.ended, 0)
    assert.include(service.output(), "finished")
  })

  it("S3, N14, P12: a handler that does not end within the budget is cut off: exit code 1", async () => {
    const service = start(600_000, 500)
    await service.says("started")
    terminate(service.child)
    assert.strictEqual(await service.ended, 1)
    assert.notInclude(service.output(), "finished")
  })

  it("S3, N14, P12: a second signal ends it at once with 1, while the first one drains", async () => {
    // A drain that would take longer than this test: nothing but the second signal ends it.
    const service = start(600_000, 600_000)
    await service.says("started")
    terminate(service.child)
    // The first was heard when a moment later it still lives; two signals sent at once could be one.
    await new Promise((resolve) => setTimeout(resolve, 300))
    assert.isNull(service.child.exitCode)
    terminate(service.child)
    assert.strictEqual(await service.ended, 1)
  })

  it("S3, N14, P12: a process that does not end in its time is ended, and says so: exit code 1", async () => {
    const service = start(600_000, 600_000, 500)
    await service.says("started")
    terminate(service.child)
    assert.strictEqual(await service.ended, 1)
    assert.include(service.output(), "did not end within 500 ms")
  })
})
