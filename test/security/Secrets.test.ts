/** No secret leaves: neither a password nor the value of a sensitive field, whatever goes wrong. */
import { assert, it } from "@effect/vitest"
import { connect } from "amqplib"
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"
import { afterAll, beforeAll } from "vitest"
import { describeLive } from "../support/live.ts"
import { freePort } from "../support/Port.ts"
import { type RabbitNode, startRabbit } from "../support/RabbitNode.ts"
import { type RedisNode, startRedis } from "../support/RedisNode.ts"
import type { Plan } from "./leaky.ts"

const canary = "c4n4ry"
const passwords = { rabbit: `${canary}-rabbit-pw`, redis: `${canary}-redis-pw` }
const data = `${canary}-data@example.org`
const session = `${canary}-session`
/** Shown on purpose, everywhere: a search that does not find it looks at nothing. */
const planted = `${canary}-planted`

/** The lines that contain a secret, shortened. */
const leaks = (text: string): ReadonlyArray<string> =>
  text
    .replaceAll(planted, "")
    .split("\n")
    .filter((line) => line.includes(canary) || line.includes(encodeURIComponent(data)))
    .map((line) => line.trim().slice(0, 300))

const run = (file: string, args: ReadonlyArray<string>, more: NodeJS.ProcessEnv = {}) => {
  const { EVENTBUS_REDIS_URL: _redis, EVENTBUS_URL: _url, ...env } = process.env
  const child: ChildProcess = spawn(process.execPath, [join(import.meta.dirname, file), ...args], {
    env: { ...env, ...more },
    stdio: "pipe"
  })
  let output = ""
  const waiting = new Set<() => void>()
  const hear = (text: Buffer): void => {
    output += text.toString()
    for (const look of waiting) look()
  }
  child.stdout?.on("data", hear)
  child.stderr?.on("data", hear)
  const ended = once(child, "close").then(([code]: ReadonlyArray<unknown>) => code)
  const says = (word: string) =>
    new Promise<void>((resolve, reject) => {
      const look = (): void => {
        if (!output.includes(word)) return
        waiting.delete(look)
        resolve()
      }
      waiting.add(look)
      child.on("close", () => reject(new Error(`ended without saying "${word}": ${output.slice(-3000)}`)))
      look()
    })
  return { child, ended, says, output: () => output }
}

describeLive(
  "secrets",
  () => {
    let rabbit: RabbitNode
    let redis: RedisNode
    let url = ""
    beforeAll(async () => {
      ;[rabbit, redis] = await Promise.all([startRabbit(), startRedis()])
      url = await rabbit.addUser("svc", passwords.rabbit)
      await redis.cli("ACL", "SETUSER", "svc", "on", `>${passwords.redis}`, "~*", "+@all")
    })
    afterAll(async () => {
      await Promise.all([rabbit.stop(), redis.stop()])
    })

    it("P14, O4: a service with accidents of every kind leaks no secret anywhere", async () => {
      const redisUrl = `redis://svc:${passwords.redis}@127.0.0.1:${redis.port}`
      const plan: Plan = { url, redisUrl, namespace: "secrets", secret: data, planted, session }
      const service = run("leaky.ts", [JSON.stringify(plan)])
      await service.says("PUBLISHED")

      const connection = await connect(url)
      const channel = await connection.createConfirmChannel()
      for (const body of [
        `{"email":"${data}" this is no JSON`,
        JSON.stringify({
          specversion: "1.0",
          id: "i",
          source: "s",
          type: "user.account.registered",
          data: { email: data }
        }),
        JSON.stringify({ [data]: data, userId: { email: data } })
      ]) {
        channel.publish("secrets.events", "user.account.registered", Buffer.from(body), {
          type: "user.account.registered"
        })
      }
      await channel.waitForConfirms()
      await service.says("LISTENS")
      const [, address = ""] = /LISTENS (\S+)/.exec(service.output()) ?? []
      const pages: Array<string> = []
      const look = async (): Promise<void> => {
        for (const path of ["/health", "/health/live", "/health/ready", "/metrics"])
          pages.push(await (await fetch(`${address}${path}`)).text())
      }

      await service.says("BREAK REDIS NOPERM")
      await look()
      // The messages as they are on the broker, with all headers.
      const headers: Array<string> = []
      for (;;) {
        const letter = await channel.get("secrets.dead.mail.welcome")
        if (letter === false) break
        const { session: own, ...told } = letter.properties.headers ?? {}
        assert.include([session, undefined], own)
        headers.push(JSON.stringify({ ...letter.properties, headers: told }))
      }
      await connection.close()
      assert.isAtLeast(headers.length, 10)
      await redis.cli("ACL", "SETUSER", "svc", "-@all", "+ping")
      await service.says("BREAK REDIS WRONGPASS")
      await redis.cli("ACL", "SETUSER", "svc", "resetpass", ">another")
      await redis.cli("CLIENT", "KILL", "USER", "svc")
      await service.says("BREAK REDIS ECONN")
      await look()
      await redis.kill()
      await service.says("BREAK RABBIT")
      await look()
      await rabbit.ctl("change_password", "svc", "another")
      await rabbit.ctl("close_all_connections", "for a test")
      await service.says("MENDED?")
      assert.strictEqual(await service.ended, 1)

      const lines = service.output().split("\n")
      const spans = lines
        .join("\n")
        .split("## ")
        .filter((part) => part.startsWith("span"))
      const channels = {
        "dead-letter headers": headers.join("\n"),
        health: pages.filter((page) => page.includes('"checks"')).join("\n"),
        metrics: pages.filter((page) => page.includes("# TYPE")).join("\n"),
        spans: spans.join("\n"),
        "logs as JSON": lines.filter((line) => line.startsWith('{"')).join("\n"),
        "logs as text": lines.filter((line) => line.startsWith("[")).join("\n"),
        "the crash": lines.filter((line) => line.includes("a crash")).join("\n")
      }
      for (const [channel, text] of Object.entries(channels)) {
        assert.deepStrictEqual(leaks(text), [], channel)
        assert.include(text, planted, `${channel} is not looked at`)
      }
      assert.deepStrictEqual(leaks(service.output()), [], "output")
      // There was output of each kind: logs of both forms, spans, dead letters, errors.
      for (const word of [
        "## span",
        "## dead letter",
        "## told",
        "## failure",
        "dead-lettered",
        "Exhausted",
        "Rejected",
        "(NOPERM)",
        "(WRONGPASS)"
      ])
        assert.include(service.output(), word)
    })

    it("P14, O4: a start that fails leaks no password", async () => {
      const nobody = await freePort()
      const parts = new URL(url)
      const wrong = (change: (at: URL) => void): string => {
        const at = new URL(url)
        change(at)
        return at.href
      }
      const plans: ReadonlyArray<readonly [string, string]> = [
        ["nobody there", wrong((at) => (at.port = String(nobody)))],
        ["wrong password", `amqp://svc:${canary}-wrong@127.0.0.1:${parts.port}`],
        ["no such vhost", `${parts.href.replace(/\/$/, "")}/nowhere`],
        ["no TLS there", wrong((at) => (at.protocol = "amqps:"))],
        ["another protocol", `http://svc:${canary}@127.0.0.1:1`],
        ["no url at all", `amqp://svc:${canary}#/@[`],
        ["a password that breaks the url", `amqp://svc:${canary}/x#y@127.0.0.1:${parts.port}`]
      ]
      await Promise.all(
        plans.map(async ([what, url]) => {
          const plan: Plan = {
            url,
            redisUrl: `redis://:${canary}@127.0.0.1:${nobody}`,
            namespace: "secrets",
            secret: data,
            planted,
            session
          }
          const service = run("leaky.ts", [JSON.stringify(plan)])
          assert.strictEqual(await service.ended, 1, what)
          assert.deepStrictEqual(leaks(service.output()), [], what)
        })
      )
    })

    it("P14, O4: the demo leaks no password", async () => {
      const url = `amqp://svc:${canary}-wrong@127.0.0.1:${rabbit.port}`
      const demo = run("../../src/app/demo/main.ts", ["--events", "1", "--verbose"], { EVENTBUS_URL: url })
      assert.strictEqual(await demo.ended, 1)
      assert.include(demo.output(), "check the user name and the password")
      assert.deepStrictEqual(leaks(demo.output()), [])
    })

    it("the search finds a secret", () => {
      assert.lengthOf(leaks(`fine\nuser=svc password=${passwords.rabbit}\n${encodeURIComponent(data)}`), 2)
    })
  },
  ["rabbitNode", "redisNode"]
)
