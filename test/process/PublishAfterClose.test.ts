/** A publish on a closed bus: it fails at once, and the process ends by itself. */
import { execFile } from "node:child_process"
import { promisify } from "node:util"
import { assert, it } from "vitest"
import { programOf } from "../support/Program.ts"
import { describeLive, rabbitUrl } from "../support/live.ts"

const program = await programOf("test/process/publishAfterClose.ts")

describeLive(
  "a closed bus",
  () => {
    it("fails each publish at once with a text that says so, and keeps no timer and no process", async () => {
      for (const url of ["memory://", rabbitUrl()]) {
        // Resolves when the process has ended with code 0.
        const { stdout } = await promisify(execFile)(process.execPath, [program, url])
        // Among the lines of the log.
        const printed = stdout.split("\n").find((line) => line.startsWith('{"failures"')) ?? ""
        const { failures, timers } = JSON.parse(printed) as {
          readonly failures: ReadonlyArray<string>
          readonly timers: ReadonlyArray<string>
        }
        assert.deepStrictEqual(timers, [], url)
        assert.strictEqual(failures.length, 32)
        for (const failure of failures) assert.include(failure, "the bus is closed")
      }
    })
  },
  ["rabbit"]
)
