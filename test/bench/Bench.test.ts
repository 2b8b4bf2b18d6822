/** The benchmark runs for the library and for amqplib by hand, and has figures of both. */
import { assert, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import { join } from "node:path"
import { promisify } from "node:util"
import { describeLive } from "../support/live.ts"

const main = join(import.meta.dirname, "../../bench/main.ts")

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

    it("measures another revision beside this one, and leaves nothing of it behind", async () => {
      const git = async (...args: ReadonlyArray<string>) => (await promisify(execFile)("git", args)).stdout
      const before = await git("worktree", "list")
      const sizes = ["--quick", "--rounds", "1", "--warm", "200", "--count", "1000"]
      const { stdout } = await promisify(execFile)(process.execPath, [
        main,
        "--compare",
        "HEAD",
        "--only",
        "publish",
        ...sizes
      ])
      const commit = (await git("rev-parse", "--short", "HEAD")).trim()
      assert.include(stdout, `## Compared with ${commit}`)
      const cells = /^\| Publish to a quorum queue.*\|$/m.exec(stdout)?.[0].split(" | ").slice(1, 3) ?? []
      assert.lengthOf(cells, 2)
      for (const cell of cells) assert.match(cell, /^\d+\.\d\dx \(.*\)$/)
      assert.strictEqual(await git("worktree", "list"), before)
    })

    it("refuses a revision that git does not know", async () => {
      const ended = await promisify(execFile)(process.execPath, [main, "--compare", "no-such-revision"]).then(
        () => "done",
        (error: unknown) => String(error)
      )
      assert.include(ended, "--compare no-such-revision: git knows no such revision")
    })
  },
  ["rabbitNode", "redisNode"]
)
