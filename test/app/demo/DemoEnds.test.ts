/** How the demo ends: the same summary for the same seed, errors in one line each, drained by a signal. */
import { assert, describe, it } from "@effect/vitest"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { connect } from "node:net"
import { join } from "node:path"

const main = join(import.meta.dirname, "../../../src/app/demo/main.ts")

const start = (...args: ReadonlyArray<string>) => {
  const { EVENTBUS_REDIS_URL: _redis, EVENTBUS_URL: _url, ...env } = process.env
  const child = spawn(process.execPath, [main, ...args], { env, stdio: "pipe" })
  let output = ""
  let errors = ""
  child.stdout.on("data", (text: Buffer) => {
    output += text.toString()
  })
  child.stderr.on("data", (text: Buffer) => {
    errors += text.toString()
  })
  // `close`, not `exit`: by then all of its output has arrived.
  const ended = once(child, "close").then(([code]: ReadonlyArray<unknown>) => code)
  const prints = (pattern: RegExp) =>
    new Promise<string>((resolve, reject) => {
      const check = (): void => {
        const found = pattern.exec(output)
        if (found !== null) resolve(found[0])
      }
      child.stdout.on("data", check)
      child.on("close", () => reject(new Error(`ended without printing ${String(pattern)}: ${output}${errors}`)))
      check()
    })
  return { child, ended, prints, output: () => output, errors: () => errors }
}

const account = (output: string): string => output.slice(output.indexOf("\npublished "))
const rowOf = (output: string, name: string): ReadonlyArray<number> =>
  (output.split("\n").findLast((line) => line.startsWith(`${name} `)) ?? "").split(/\s+/).slice(1).map(Number)

const good = JSON.stringify({
  type: "social.connection.accepted",
  id: "same",
  data: { fromId: "u-1", toId: "u-2", acceptedAt: "2026-09-07T08:00:00.000Z" },
  actor: { id: "u-2", role: "student", status: "active" }
})

describe("the end of the demo", () => {
  it("accounts for every event; the same seed gives the same summary at any rate", async () => {
    const [slow, fast] = [start("--events", "1000", "--rate", "400"), start("--events", "1000", "--rate", "4000")]
    assert.deepStrictEqual([await slow.ended, await fast.ended], [0, 0])
    assert.strictEqual(account(slow.output()), account(fast.output()))
    assert.include(slow.output(), "every event is accounted for")
    const [published = 0, handled = 0, dead = 0, retried = 0] = rowOf(slow.output(), "all")
    assert.strictEqual(published, handled + dead)
    assert.isTrue(dead > 0 && retried > 0)
    assert.strictEqual(slow.errors(), "")
  })

  it("publishes the good lines of a file, reports the bad ones and exits with 1", async () => {
    const demo = start("--from", "-")
    const denied = JSON.stringify({ ...JSON.parse(good), actor: { id: "u-9", role: "student", status: "active" } })
    const late = JSON.stringify({ ...JSON.parse(good), id: "late", delay: "2 days" })
    demo.child.stdin.end(
      [good, "nope", denied, "", good, late, JSON.stringify({ type: "social.post.created" })].join("\n")
    )
    assert.strictEqual(await demo.ended, 1)
    assert.deepStrictEqual(
      demo
        .errors()
        .trim()
        .split("\n")
        .map((line) => line.slice(0, 16)),
      ["line 2: it is no", "line 3: actor: t", "line 7: data: Mi", "3 lines were ref"]
    )
    // The same event twice is one event, which every subscriber received twice.
    const [published, handled] = rowOf(demo.output(), "social.feed")
    assert.deepStrictEqual([published, handled], [1, 1])
    assert.include(demo.output(), "1 events are due after the end")
    assert.include(demo.output(), "every event is accounted for")
  })

  it("a missing file and an invalid port are reported in one line each", async () => {
    const [file, port] = [start("--from", "/nowhere/at/all"), start("--events", "1", "--port", "70000")]
    assert.deepStrictEqual([await file.ended, await port.ended], [1, 1])
    assert.strictEqual(file.errors().trim(), '"/nowhere/at/all" cannot be read: it does not exist')
    assert.match(port.errors().trim(), /^port: cannot listen on port 70000: .*$/)
  })

  it("P12: runs until SIGTERM, and exits with 0 although a client never finishes its request", async () => {
    const demo = start("--port", "0")
    const { hostname, port } = new URL(await demo.prints(/http:\/\/[\d.:]+/))
    await demo.prints(/\d+ published/)
    const client = connect(Number(port), hostname)
    client.on("error", () => {})
    await once(client, "connect")
    client.write("GET /health HTTP/1.1\r\n")
    // Any response, also 408 on a busy machine, shows that the server has accepted the earlier connection.
    await (await fetch(`http://${hostname}:${port}/health`)).text()
    demo.child.kill("SIGTERM")
    assert.strictEqual(await demo.ended, 0)
    assert.match(demo.output(), /stopped after \d+ published events/)
    assert.isAbove(rowOf(demo.output(), "kyc.audit").length, 0, "a row for each subscriber")
    client.destroy()
  })

  it("says from the start how far it is, and at the end what to try", async () => {
    const demo = start("--events", "200", "--rate", "400")
    await demo.prints(/\d+ of at least 200 published; \d+ handled/)
    assert.strictEqual(await demo.ended, 0)
    assert.match(demo.output(), /\nnext:\n/)
  })

  it("shows a table with its legend on a terminal, which the summary replaces", async () => {
    const child = spawn("script", ["-qec", `${process.execPath} ${main} --events 200 --rate 400`, "/dev/null"], {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, EVENTBUS_URL: "memory://", EVENTBUS_REDIS_URL: "", COLUMNS: "80", LINES: "40" }
    })
    let output = ""
    child.stdout.on("data", (text: Buffer) => (output += text.toString()))
    const [code] = await once(child, "close")
    assert.strictEqual(code, 0, output)
    assert.match(output, /of at least 200 published; Ctrl-C drains/)
    assert.include(output, "lag: in the queue")
    const [, after = ""] = output.split("\u001b[J").slice(-2)
    assert.include(after, "every event is accounted for")
  })

  it("a second one takes another port", async () => {
    const [one, other] = [start(), start()]
    const addresses = await Promise.all([one, other].map(({ prints }) => prints(/http:\/\/[\d.:]+/)))
    assert.notStrictEqual(addresses[0], addresses[1])
    for (const { child } of [one, other]) child.kill("SIGINT")
    assert.deepStrictEqual(await Promise.all([one.ended, other.ended]), [0, 0])
  })

  it("P12: SIGTERM stops it while it waits for stdin", async () => {
    const demo = start("--from", "-")
    await demo.prints(/health and metrics/)
    demo.child.kill("SIGTERM")
    assert.strictEqual(await demo.ended, 0)
  })
})
