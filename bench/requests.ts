/**
 * What a request costs beside amqplib by hand with direct reply-to: `npm run bench:requests`.
 *
 * Asker and replier are processes of their own, the queue of requests is a quorum queue on both sides, and requests are
 * confirmed. Rounds take turns, and ratios are taken within a round: p50 and p99 of requests one after the other, then CPU of
 * the asker and requests a second with 250 at once.
 *
 * Settings: `BENCH_ROUNDS` (5), `BENCH_EVENTS` (2,000 one after the other, ten times as many at once). The exit code is 1
 * when the p50 is above 1.2x.
 */
import { fork } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"
import { startRabbit } from "../test/support/RabbitNode.ts"

interface Figures {
  readonly p50: number
  readonly p99: number
  readonly cpu: number
  readonly perSecond: number
}

const rounds = Number(process.env["BENCH_ROUNDS"] ?? 5)
const count = process.env["BENCH_EVENTS"] ?? "2000"
const entries = ["ours", "by hand"] as const
const file = (name: string): string => join(import.meta.dirname, "requests", `${name}.ts`)
const median = (values: ReadonlyArray<number>): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN

const rabbit = await startRabbit({ schedulers: "all" })
const repliers = []
try {
  const ratios: Record<keyof Figures, Array<number>> = { p50: [], p99: [], cpu: [], perSecond: [] }
  for (const entry of entries) {
    const replier = fork(file("replier"), [entry, rabbit.url])
    repliers.push(replier)
    await once(replier, "message")
  }
  for (let round = 1; round <= rounds; round++) {
    const found: Array<Figures> = []
    for (const entry of entries) {
      const asker = fork(file("asker"), [entry, rabbit.url, count])
      const [figures] = (await once(asker, "message")) as [Figures]
      found.push(figures)
      const { cpu, p50, p99, perSecond } = figures
      console.log(
        `${round} ${entry.padEnd(8)} p50 ${p50.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms, ${cpu.toFixed(1)} µs of CPU, ${Math.round(perSecond)}/s`
      )
    }
    const [ours, byHand] = found
    if (ours === undefined || byHand === undefined) throw new Error("a round without figures")
    for (const name of ["p50", "p99", "cpu", "perSecond"] as const) ratios[name].push(ours[name] / byHand[name])
  }
  for (const [name, values] of Object.entries(ratios))
    console.log(`${name}: ${median(values).toFixed(2)}x (${values.map((value) => value.toFixed(2)).join(", ")})`)
  if (median(ratios.p50) > 1.2) process.exitCode = 1
} finally {
  for (const replier of repliers) replier.kill("SIGKILL")
  await rabbit.stop()
}
