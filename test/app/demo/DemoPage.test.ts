/** The page of the demo: for processes of this machine and holders of a token; and how the demo says where it is. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Redacted } from "effect"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { request } from "node:http"
import { join } from "node:path"
import { setTimeout as delay } from "node:timers/promises"
import { authorizeBy } from "../../../src/app/demo/DemoServer.ts"
import { composed } from "../../docker/files.ts"

const main = join(import.meta.dirname, "../../../src/app/demo/main.ts")

/** On a machine that does much else. */
const mostLooks = 3000

const start = (...args: ReadonlyArray<string>) => {
  const { EVENTBUS_REDIS_URL: _redis, EVENTBUS_URL: _url, ...env } = process.env
  const child = spawn(process.execPath, [main, ...args], { env, stdio: ["ignore", "pipe", "inherit"] })
  let output = ""
  child.stdout.on("data", (text: Buffer) => (output += text.toString()))
  const ended = once(child, "close").then(([code]: ReadonlyArray<unknown>) => code)
  let isEnded = false
  void ended.then(() => (isEnded = true))
  const address = async (): Promise<string> => {
    for (let looks = 0; looks < mostLooks; looks++) {
      const [, found] = /page of the operations at (http:\/\/[\w.:]+)\//.exec(output) ?? []
      if (found !== undefined) return found
      assert.isFalse(isEnded, output)
      await delay(20)
    }
    throw new Error(`no address in ${output}`)
  }
  return { child, ended, address, output: () => output }
}

const read = async (url: string): Promise<unknown> => (await fetch(url)).json()

describe("the page of the demo", () => {
  it("is at the root of its HTTP, with processes, dead letters and last known events of the embedded bus", async () => {
    const demo = start("--port", "0", "--rate", "1500")
    const address = await demo.address()
    const page = await fetch(address)
    assert.strictEqual(page.status, 200)
    assert.include(await page.text(), "/page/main.js")
    assert.deepInclude(await read(`${address}/api/session`), { operator: "somebody on this machine", readOnly: false })
    assert.strictEqual((await fetch(`${address}/health/ready`)).status, 200)
    const until = async (path: string, pattern: RegExp): Promise<string> => {
      for (let looks = 0; looks < mostLooks; looks++) {
        const text = JSON.stringify(await read(`${address}${path}`))
        if (pattern.test(text)) return text
        await delay(50)
      }
      throw new Error(`${path} never answers with ${String(pattern)}`)
    }
    await until("/api/ps", /"source":"eduflow-demo".*"notification\.grade-mailer"/)
    const sources = await until("/api/dead-letters", /"letters":[1-9]/)
    const [, source = ""] = /"source":"([^"]+)","letters":[1-9]/.exec(sources) ?? []
    const replayed = await fetch(`${address}/api/dead-letters/${source}/replay?apply=true`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: "{}"
    })
    assert.match(await replayed.text(), /"replayed":[1-9]/)
    await until("/api/last/academic.grade.posted", /"kind":"last"/)
    assert.match(JSON.stringify(await read(`${address}/api/topology`)), /the embedded bus lives in this process/)
    const foreign = await new Promise((resolve, reject) => {
      request(`${address}/api/ps`, { headers: { host: "evil.example" } }, ({ statusCode }) => resolve(statusCode))
        .on("error", reject)
        .end()
    })
    assert.strictEqual(foreign, 421)
    demo.child.kill("SIGINT")
    assert.strictEqual(await demo.ended, 0)
    assert.match(demo.output(), /handled: done by a subscriber/)
    assert.match(demo.output(), /\nstopped after \d+ published events[^]*\nnext:\n {2}npm start/)
  })

  it("changes nothing in a run that accounts for every event", async () => {
    const demo = start("--events", "1000", "--rate", "200")
    assert.deepInclude(await read(`${await demo.address()}/api/session`), { readOnly: true })
    demo.child.kill("SIGTERM")
    assert.strictEqual(await demo.ended, 0)
  })

  it("is on the next free port where another demo runs", async () => {
    const demos = [start(), start()]
    const ports = await Promise.all(demos.map(async (demo) => new URL(await demo.address()).port))
    assert.strictEqual(new Set(ports).size, 2)
    for (const { child, ended } of demos) {
      child.kill("SIGTERM")
      assert.strictEqual(await ended, 0)
    }
  })

  it("lets in who has the token of the compose file, from the gateway of its network too", async () => {
    const token = composed().services["demo"]?.environment?.["OPERATIONS_TOKEN"] ?? ""
    const ask = (authorization: string) => {
      const request = { verb: "look", path: "/api/ps", address: "172.18.0.1", headers: { authorization } } as const
      return Effect.runPromise(authorizeBy(Option.some(Redacted.make(token)))(request))
    }
    assert.isDefined(await ask(`Bearer ${token}`))
    assert.isUndefined(await ask("Bearer other"))
    assert.isUndefined(await ask("Bearer "))
  })

  it("lets in this machine, and others by the token alone", async () => {
    const ask = (token: string | undefined, address: string, authorization?: string) =>
      Effect.runPromise(
        authorizeBy(token === undefined ? Option.none() : Option.some(Redacted.make(token)))({
          verb: "look",
          path: "/api/ps",
          headers: authorization === undefined ? {} : { authorization },
          address
        })
      )
    for (const address of ["127.0.0.1", "::1", "::ffff:127.0.0.1"]) assert.isDefined(await ask(undefined, address))
    for (const [token, given] of [
      [undefined, undefined],
      [undefined, "Bearer "],
      ["", "Bearer "],
      ["secret", "Bearer secret2"],
      ["secret", "secret"]
    ] as const)
      assert.isUndefined(await ask(token, "10.0.0.7", given))
    assert.isDefined(await ask("secret", "10.0.0.7", "Bearer secret"))
  })
})
