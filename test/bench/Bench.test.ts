/** The benchmark runs for the library and for amqplib by hand, and has figures of both. */
import { assert, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import { join } from "node:path"
import { promisify } from "node:util"
import { describeLive } from "../support/live.ts"

interface Told {
  readonly failures: ReadonlyArray<string>
  readonly results: ReadonlyArray<{
    readonly experiment: string
    readonly entry: string
    readonly reports: ReadonlyArray<{ readonly events: number; readonly seconds: number; readonly cpuMicros: number }>
  }>
}

describeLive(
  "benchmark",
  () => {
    it("publishes and consumes with the library and with amqplib, each in a process of its own", async () => {
      const main = join(import.meta.dirname, "../../bench/main.ts")
      const chosen = ["--only", "publish", "--only", "consume", "--entries", "raw", "--entries", "ours"]
      const sizes = ["--quick", "--json", "--rounds", "1", "--warm", "200", "--count", "1000"]
      const { stdout } = await promisify(execFile)(process.execPath, [main, ...chosen, ...sizes])
      const told: Told = JSON.parse(stdout)
      assert.deepStrictEqual(told.failures, [])
      assert.deepStrictEqual(
        told.results.map(({ entry, experiment }) => `${experiment}: ${entry}`),
        ["publish: raw", "publish: ours", "consume: raw", "consume: ours"]
      )
      for (const { experiment, reports } of told.results) {
        assert.lengthOf(reports, 1)
        for (const { cpuMicros, events, seconds } of reports) {
          assert.strictEqual(events, experiment === "publish" ? 2000 : 1000)
          assert.isAbove(seconds, 0)
          assert.isAbove(cpuMicros, 0)
        }
      }
    })
  },
  ["rabbitNode", "redisNode"]
)
