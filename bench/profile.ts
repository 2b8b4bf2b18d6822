/**
 * Where the time of one scenario goes: runs it under V8's profiler and prints self time by function and by
 * module, in microseconds an event. `node bench/profile.ts publish|consume|embedded|dead-letter|replay|ladder
 * [--peer raw] [--count n] [--key] [--traces share] [--traced] [--cache redis|process]`
 */
import { once } from "node:events"
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import * as Lab from "./Lab.ts"
import type { ScenarioName } from "./scenarios/Job.ts"

interface Profile {
  readonly nodes: ReadonlyArray<{
    readonly id: number
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number }
  }>
  readonly samples: ReadonlyArray<number>
  readonly timeDeltas: ReadonlyArray<number>
}

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    peer: { type: "string", default: "ours" },
    count: { type: "string", default: "150000" },
    key: { type: "boolean", default: false },
    traced: { type: "boolean", default: false },
    cache: { type: "string" },
    traces: { type: "string" },
    top: { type: "string", default: "45" }
  }
})
const scenario = (positionals[0] ?? "publish") as ScenarioName // an unknown one is refused by the worker
const count = Number(values.count)
const warm = 20_000
const folder = mkdtempSync(join(tmpdir(), "bench-profile-"))
const lab = await Lab.open()
const ordering = values.key ? "key" : "none"
// Accepts exports, when there are traces.
const collector = createServer((request, response) => {
  request.resume().once("end", () => response.end())
}).listen(0, "127.0.0.1")
await once(collector, "listening")
const endpoint = `http://127.0.0.1:${(collector.address() as AddressInfo).port}` // it listens on a port
try {
  const subscriber = "bench.profile"
  await lab.run({ scenario: "declare", subscriber, variant: { ordering } })
  if (["consume", "dead-letter", "ladder"].includes(scenario))
    await lab.supply(
      [subscriber],
      scenario === "ladder" ? warm + count : warm + count + 2_000,
      values.key ? { keys: 1000 } : {}
    )
  if (scenario === "replay") {
    await lab.supply([subscriber], warm + count)
    await lab.run({ scenario: "dead-letter", subscriber, count: warm + count })
  }
  const job = {
    scenario,
    subscriber,
    peer: values.peer,
    warm,
    count,
    ...(scenario === "ladder" && { rate: 0 }),
    variant: {
      ordering,
      keyed: values.key,
      traced: values.traced,
      cached: values.cache !== undefined,
      ...(values.cache === "redis" && { redisUrl: lab.redisUrl }),
      ...(values.traces !== undefined && { telemetry: { endpoint, traces: Number(values.traces) } })
    }
  } as const
  const report = await lab.run(job, { node: ["--cpu-prof", "--cpu-prof-interval", "200", "--cpu-prof-dir", folder] })
  const [file] = readdirSync(folder)
  const profile: Profile = JSON.parse(readFileSync(join(folder, file ?? ""), "utf8"))
  const frames = new Map(profile.nodes.map(({ callFrame, id }) => [id, callFrame]))
  const byFunction = new Map<string, number>()
  const byModule = new Map<string, number>()
  // The last part of the samples is the measured window: the warm-up compiles and is not counted.
  const total = profile.timeDeltas.reduce((sum, delta) => sum + delta, 0)
  let passed = 0
  for (const [index, id] of profile.samples.entries()) {
    const delta = profile.timeDeltas[index] ?? 0
    passed += delta
    const frame = frames.get(id)
    if (frame === undefined || passed < total - report.seconds * 1e6) continue
    const short = frame.url.replace(/^.*\/(node_modules|src|bench|test)\//, "$1/").replace(/^node_modules\//, "")
    const name = `${frame.functionName === "" ? "(anonymous)" : frame.functionName} ${short}${short === "" ? "" : `:${frame.lineNumber + 1}`}`
    byFunction.set(name, (byFunction.get(name) ?? 0) + delta)
    const module = short === "" ? frame.functionName : short
    byModule.set(module, (byModule.get(module) ?? 0) + delta)
  }
  const show = (title: string, all: ReadonlyMap<string, number>, top: number): void => {
    console.log(`\n${title}, µs an event`)
    const sorted = [...all].sort(([, one], [, other]) => other - one)
    for (const [name, micros] of sorted.slice(0, top))
      console.log(`${(micros / count).toFixed(3).padStart(8)}  ${name}`)
  }
  const cpu = (report.cpuMicros / count).toFixed(2)
  const broker = (report.brokerMicros / count).toFixed(2)
  console.log(
    `${values.peer} ${scenario}: ${Math.round(count / report.seconds)} events/s, ${cpu} µs of CPU an event, ${broker} of the broker, ${report.otherCores.toFixed(2)} other cores`
  )
  show("by function", byFunction, Number(values.top))
  show("by module", byModule, 30)
} finally {
  collector.closeAllConnections()
  collector.close()
  await lab.close()
  rmSync(folder, { recursive: true, force: true })
}
