/** `eventbus dead-letters replay` of 20,000 letters, killed five times midway: none is lost, and few come twice. */
import { assert, it } from "@effect/vitest"
import { type ConfirmChannel, connect } from "amqplib"
import { spawn } from "node:child_process"
import { randomInt } from "node:crypto"
import { once } from "node:events"
import { setTimeout as delay } from "node:timers/promises"
import { Effect } from "effect"
import { byCommand } from "../../src/operations/Reports.ts"
import * as Schema from "effect/Schema"
import { EventBus } from "../../src/index.ts"
import { describeLive, freshNamespace, rabbitUrl } from "../support/live.ts"
import { Posted } from "./contracts.ts"
import type { Settings } from "./Eventbus.ts"

const letters = 20_000
const kills = 5
/**
 * The most letters that a replay holds: its first window and one of the later ones (src/amqp/consuming/DeadLetterPump.ts).
 * What it has acknowledged counts, too: acknowledgements that the broker has not read are lost with the line.
 */
const held = 64 + 250
const patienceMillis = 30_000
const main = new URL("../../src/cli/main.ts", import.meta.url).pathname

const decode = Schema.decodeUnknownSync(byCommand["dead-letters replay"])

/** Runs the command as a process of its own; `until` says when it is killed. Returns its report, if it wrote one. */
const replay = async (settings: Settings, until?: () => Promise<boolean>) => {
  const words = ["dead-letters", "replay", "mailer", "--yes", "--json", "--timeout", "60"]
  const child = spawn(process.execPath, [main, ...words], {
    env: { PATH: process.env["PATH"], ...settings },
    stdio: ["ignore", "pipe", "inherit"]
  })
  let out = ""
  child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text))
  const exited = once(child, "close")
  while (until !== undefined && child.exitCode === null) {
    if (await until()) {
      child.kill("SIGKILL")
      break
    }
    await delay(5)
  }
  await exited
  return child.signalCode === "SIGKILL" ? undefined : { code: child.exitCode, report: decode(JSON.parse(out)) }
}

/** Dead letters as a failing subscriber leaves them. */
const put = async (channel: ConfirmChannel, queue: string): Promise<void> => {
  for (let n = 0; n < letters; n++) {
    channel.sendToQueue(queue, Buffer.from(JSON.stringify({ text: `t${n}` })), {
      persistent: true,
      messageId: `letter-${n}`,
      type: Posted.name,
      timestamp: Date.now(),
      appId: "suite",
      contentType: "application/json",
      headers: { "bus-reason": "Exhausted" }
    })
    if (n % 1_000 === 999) await channel.waitForConfirms()
  }
}

/** How often each event is in the queue. */
const take = async (channel: ConfirmChannel, queue: string, count: number): Promise<ReadonlyMap<string, number>> => {
  const times = new Map<string, number>()
  let taken = 0
  const all = Promise.withResolvers<void>()
  await channel.prefetch(1_000)
  await channel.consume(queue, (message) => {
    if (message === null) return
    const id = String(message.properties.messageId)
    times.set(id, (times.get(id) ?? 0) + 1)
    channel.ack(message)
    if (++taken === count) all.resolve()
  })
  await all.promise
  return times
}

describeLive(
  "a replay by the command line",
  () => {
    it.live("R6: of 20,000 letters, killed five times midway, loses none and doubles none but those it held", () =>
      Effect.promise(async () => {
        const namespace = freshNamespace()
        const settings: Settings = { EVENTBUS_URL: rabbitUrl(), EVENTBUS_NAMESPACE: namespace }
        await Effect.gen(function* () {
          const bus = yield* EventBus
          yield* bus.subscribe("mailer", { events: [Posted], handler: () => Effect.void })
        }).pipe(Effect.scoped, Effect.provide(EventBus.layerAmqp({ url: rabbitUrl(), namespace })), Effect.runPromise)
        const model = await connect(rabbitUrl())
        const channel = await model.createConfirmChannel()
        const [dead, sub] = [`${namespace}.dead.mailer`, `${namespace}.sub.mailer`]
        const depth = async (queue: string) => (await channel.checkQueue(queue)).messageCount
        const until = async (condition: () => Promise<boolean>): Promise<void> => {
          while (!(await condition())) await delay(50)
        }
        await put(channel, dead)
        await until(async () => (await depth(dead)) === letters)

        const killedAt: Array<number> = []
        for (let kill = 0; kill < kills; kill++) {
          const from = await depth(sub)
          const at = from + randomInt(1, Math.floor(letters / (kills + 1)))
          const ended = await replay(settings, async () => (await depth(sub)) >= at)
          assert.isUndefined(ended, "it had finished before it was killed")
          killedAt.push(await depth(sub))
          // The broker takes back what a killed process held when it notices that the process is gone. What was lost never comes.
          const deadline = performance.now() + patienceMillis
          await until(async () => (await depth(dead)) + (await depth(sub)) >= letters || performance.now() > deadline)
        }
        const began = performance.now()
        // What the last killed process held may still come back.
        const [rest, before] = await Promise.all([depth(dead), depth(sub)])
        const ended = await replay(settings)
        const seconds = (performance.now() - began) / 1000
        assert.deepInclude(ended?.report, { remaining: 0, refused: 0 })
        const replayed = ended?.report?.replayed ?? 0
        assert(replayed >= rest && replayed <= rest + held, JSON.stringify({ replayed, rest }))
        assert.strictEqual(ended?.code, 0)
        assert.strictEqual(await depth(dead), 0)

        const sent = await depth(sub)
        assert(
          sent - before >= replayed && sent - before <= replayed + held,
          JSON.stringify({ sent, before, replayed })
        )
        const times = await take(channel, sub, sent)
        await model.close()
        const doubled = [...times.values()].filter((count) => count > 1)
        console.log(JSON.stringify({ killedAt, rest, seconds, distinct: times.size, doubled: sent - times.size }))
        assert.strictEqual(times.size, letters)
        assert.isAtMost(sent - letters, kills * held)
        assert.isAtMost(Math.max(1, ...doubled), kills + 1)
      })
    )
  },
  ["rabbit"]
)
