/** The demo as a user runs it: on the embedded bus, on RabbitMQ and Redis, and with events from a file. */
import { assert, describe, it } from "@effect/vitest"
import { spawn } from "node:child_process"
import { join } from "node:path"
import { describeLive, freshNamespace, rabbitUrl, redisUrl } from "../../support/live.ts"

const main = join(import.meta.dirname, "../../../src/app/demo/main.ts")

const run = (
  args: ReadonlyArray<string>,
  options: { readonly env?: Record<string, string>; readonly input?: string } = {}
) =>
  new Promise<{ readonly code: number | null; readonly out: string; readonly err: string }>((resolve) => {
    const { EVENTBUS_URL: _url, EVENTBUS_REDIS_URL: _redis, ...inherited } = process.env
    const child = spawn(process.execPath, [main, ...args], { env: { ...inherited, ...options.env } })
    let out = ""
    let err = ""
    child.stdout.on("data", (text: Buffer) => (out += text.toString()))
    child.stderr.on("data", (text: Buffer) => (err += text.toString()))
    child.on("exit", (code) => resolve({ code, out, err }))
    child.stdin.end(options.input ?? "")
  })

const accountedFor = "every event is accounted for: published = handled + dead-lettered, for each subscriber"
/** Handled, dead and retried in the row of totals. */
const sums = (out: string): ReadonlyArray<number> =>
  (/^all +(.*)$/m.exec(out)?.[1] ?? "").trim().split(/\s+/).slice(1, 4).map(Number)

describe("the demo", () => {
  it("on the embedded bus: accounts for every event, some retried, some dead-lettered", async () => {
    const { code, err, out } = await run(["--events", "1500", "--rate", "500"])
    assert.strictEqual(err, "")
    assert.include(out, accountedFor)
    const [handled = 0, dead = 0, retried = 0] = sums(out)
    assert.isAbove(handled, 1000)
    assert.isAbove(dead, 0)
    assert.isAbove(retried, 0)
    assert.strictEqual(code, 0)
  })

  it("with events from a file: publishes the good lines, reports each bad one, and fails", async () => {
    const good = { type: "user.presence.changed", data: { userId: "u-1", presence: "online", device: "web" } }
    const lines = [
      JSON.stringify(good),
      "not json",
      JSON.stringify({ ...good, type: "nobody.knows" }),
      JSON.stringify({ ...good, data: { ...good.data, presence: "asleep" } }),
      JSON.stringify({ type: good.type }),
      JSON.stringify({
        type: "user.role.granted",
        data: { userId: "u-1", role: "teacher", grantedBy: "u-2" },
        actor: { id: "u-3", role: "student", status: "active" }
      }),
      JSON.stringify({ ...good, delay: "nonsense" }),
      "",
      JSON.stringify(good)
    ]
    const { code, err, out } = await run(["--from", "-"], { input: lines.join("\n") })
    const reported = err.trim().split("\n")
    const expected = [
      /^line 2: it is not JSON/,
      /^line 3: type: unknown event "nobody.knows"/,
      /^line 4: data.presence: Expected "online"/,
      /^line 5: .*data/,
      /^line 6: actor: role "student" may not publish it/,
      /^line 7: delay: expected 0 to/,
      /^6 lines were refused/
    ]
    assert.strictEqual(reported.length, expected.length)
    expected.forEach((pattern, i) => assert.match(reported[i] ?? "", pattern))
    assert.include(out, accountedFor)
    assert.strictEqual(sums(out)[0], 2)
    assert.strictEqual(code, 1)
  })

  it("reports in one line why it cannot start", async () => {
    const { code, err } = await run(["--events", "5"], {
      env: { EVENTBUS_URL: "amqp://127.0.0.1:1", EVENTBUS_CONNECT_TIMEOUT: "1 second" }
    })
    assert.match(err, /^127\.0\.0\.1:1 is not reachable \(ECONNREFUSED\).*\n$/)
    assert.strictEqual(code, 1)
  })
})

describeLive("the demo on RabbitMQ and Redis", () => {
  it("prints the same summary", async () => {
    const { code, err, out } = await run(["--events", "1000", "--rate", "400"], {
      env: { EVENTBUS_URL: rabbitUrl(), EVENTBUS_REDIS_URL: redisUrl(), EVENTBUS_NAMESPACE: freshNamespace() }
    })
    assert.strictEqual(err, "")
    assert.include(out, accountedFor)
    assert.isAbove(sums(out)[0] ?? 0, 500)
    assert.strictEqual(code, 0)
  })
})
