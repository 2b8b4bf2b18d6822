/** The example of NestJS, as its reader runs it: it listens, handles, and drains at a signal. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { assert, it } from "vitest"
import { compiledNest } from "../../scripts/compile-nest.ts"
import { freePort } from "../support/Port.ts"

const sleep = (millis: number) => new Promise((resolve) => setTimeout(resolve, millis))

it("the app of the guide", async () => {
  const port = await freePort()
  const child = spawn(process.execPath, ["--conditions=@eduflow/source", await compiledNest()], {
    env: { ...process.env, EVENTBUS_URL: "memory://", PORT: String(port), NO_COLOR: "1" }
  })
  const closed = once(child, "close")
  let output = ""
  const onText = (text: Buffer): void => void (output += text.toString())
  child.stdout.on("data", onText)
  child.stderr.on("data", onText)
  const ask = (path: string, init?: RequestInit) =>
    fetch(`http://127.0.0.1:${port}/${path}`, init).catch(() => undefined)
  while ((await ask("health"))?.status !== 200) {
    assert.isNull(child.exitCode, output)
    await sleep(50)
  }
  const body = JSON.stringify({ userId: "u-1" })
  const answer = await ask("accounts/close", { method: "POST", headers: { "content-type": "application/json" }, body })
  assert.deepStrictEqual(await answer?.json(), { closed: "u-1" })
  while (!output.includes("\ngoodbye u-1\n")) {
    assert.isNull(child.exitCode, output)
    await sleep(50)
  }
  child.kill("SIGTERM")
  assert.deepStrictEqual(await closed, [null, "SIGTERM"])
  assert.include(output, "a subscriber was drained")
})
