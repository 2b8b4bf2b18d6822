/**
 * /health, /health/ready and /health/live of the demo process over HTTP, while Redis and RabbitMQ are killed and come
 * back (S1): degraded is still ready, no broker means alive but not ready, and each check says why.
 */
import { assert, it } from "@effect/vitest"
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"
import { setTimeout as delay } from "node:timers/promises"
import { describeLive } from "../../support/live.ts"
import { startRabbit } from "../../support/RabbitNode.ts"
import { startRedis } from "../../support/RedisNode.ts"

const main = join(import.meta.dirname, "../../../src/app/demo/main.ts")

interface Check {
  readonly status: string
  readonly since: string
  readonly output?: string
}
interface Body {
  readonly status: string
  readonly checks: Readonly<Record<string, ReadonlyArray<Check>>>
}

const ask = async (base: string) => {
  const [all, ready, live] = await Promise.all(
    ["/health", "/health/ready", "/health/live"].map(async (path) => {
      const answer = await fetch(`${base}${path}`)
      return { code: answer.status, type: answer.headers.get("content-type"), text: await answer.text() }
    })
  )
  const { checks, status }: Body = JSON.parse(all?.text ?? "{}")
  return { type: all?.type, codes: [all?.code, ready?.code, live?.code], status, checks }
}
type Answer = Awaited<ReturnType<typeof ask>>

/** Repeats until the condition holds; the time limit of the test ends it otherwise. */
const until = async (base: string, holds: (answer: Answer) => boolean): Promise<Answer> => {
  for (;;) {
    const answer = await ask(base)
    if (holds(answer)) return answer
    await delay(200)
  }
}
const outputOf = ({ checks }: Answer, name: string): string => checks[name]?.[0]?.output ?? ""
const sinceOf = ({ checks }: Answer, name: string): number => Date.parse(checks[name]?.[0]?.since ?? "")
/** Dead letters are ignored: the demo makes some, and recent ones degrade their check. */
const troubled = ({ checks }: Answer): ReadonlyArray<string> =>
  Object.entries(checks).flatMap(([name, all]) =>
    name === "dead letters" || all.every(({ status }) => status === "up") ? [] : [name]
  )

const isWell = (answer: Answer): boolean => answer.codes[1] === 200 && troubled(answer).length === 0

describeLive(
  "the endpoints of a process",
  () => {
    it("S1: healthy; degraded and ready without Redis; not ready but alive without RabbitMQ; healthy again", async () => {
      const [rabbit, redis] = await Promise.all([startRabbit(), startRedis()])
      const demo: ChildProcess = spawn(process.execPath, [main, "--port", "0", "--rate", "20"], {
        env: { ...process.env, EVENTBUS_URL: rabbit.url, EVENTBUS_REDIS_URL: redis.url },
        stdio: ["ignore", "pipe", "inherit"]
      })
      const ended = once(demo, "exit")
      try {
        let said = ""
        const base = await new Promise<string>((resolve) => {
          demo.stdout?.on("data", (text: Buffer) => {
            said += text.toString()
            const found = /(http:\/\/[\d.:]+)\/health/.exec(said)
            if (found?.[1] !== undefined) resolve(found[1])
          })
        })
        const healthy = await until(base, isWell)
        assert.strictEqual(healthy.type, "application/health+json")
        assert.deepStrictEqual([healthy.codes, troubled(healthy)], [[200, 200, 200], []])
        assert.containsAllKeys(healthy.checks, [
          "publish connection",
          "consume connection",
          "publish channels",
          "topology",
          "delay ladder",
          "cache",
          "write-behind",
          "event loop",
          "dead letters",
          "in-flight limits",
          "subscriber kyc.review"
        ])

        await redis.kill()
        const degraded = await until(base, ({ checks }) => checks["cache"]?.[0]?.status === "degraded")
        assert.deepStrictEqual([degraded.codes, degraded.checks["cache"]?.[0]?.status], [[200, 200, 200], "degraded"])
        assert.match(outputOf(degraded, "cache"), new RegExp(`the cache does not answer .*${redis.port}`))
        assert.isAbove(sinceOf(degraded, "cache"), sinceOf(healthy, "cache"))
        await redis.restart()
        await until(base, isWell)

        await rabbit.flush()
        await rabbit.kill()
        const down = await until(base, ({ codes }) => codes[1] === 503)
        assert.deepStrictEqual([down.codes, down.status], [[503, 503, 200], "down"])
        assert.include(troubled(down), "publish connection")
        assert.match(outputOf(down, "publish connection"), new RegExp(`127\\.0\\.0\\.1:${rabbit.port}`))
        await rabbit.restart()
        const again = await until(base, isWell)
        assert.deepStrictEqual([again.codes, troubled(again)], [[200, 200, 200], []])
        assert.isAbove(sinceOf(again, "publish connection"), sinceOf(down, "publish connection"))
        demo.kill("SIGTERM")
        assert.deepStrictEqual(await ended, [0, null])
      } finally {
        demo.kill("SIGKILL")
        await Promise.all([rabbit.stop(), redis.stop()])
      }
    })
  },
  ["rabbitNode", "redisNode"]
)
