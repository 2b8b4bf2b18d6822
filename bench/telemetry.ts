/**
 * What does telemetry cost? `npm run bench:telemetry`.
 *
 * CPU an event of the process: without any counting, with metrics that are exported every second, and with traces as
 * well, of 1 % and of all events; on the embedded bus from publish to handler, and on RabbitMQ publishing and
 * consuming. Each in a process of its own, in turns; ratios are taken within a round. Exports go to a collector in
 * this process, which is not measured.
 *
 * Then latency at 500 events a second with every span sampled, while the collector accepts all, is down, never
 * answers, or answers nonsense: latency must not change.
 *
 * Settings: `BENCH_ROUNDS` (5), `BENCH_ONLY` (embedded, publish, consume or latency). The exit code is 1 when a target is
 * missed.
 */
import { createServer, type RequestListener } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import * as Lab from "./Lab.ts"
import type { Variant } from "./peers/ours.ts"
import * as Report from "./Report.ts"
import * as Rounds from "./Rounds.ts"
import type { Job } from "./scenarios/Job.ts"

const rounds = Number(process.env["BENCH_ROUNDS"] ?? 5)
const uncounted = ["--import", join(import.meta.dirname, "uncounted.ts")]

const collector = async (answer: RequestListener) => {
  const server = createServer((request, response) => {
    request.resume()
    request.once("end", () => answer(request, response))
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo // it listens on a port
  return {
    url: `http://127.0.0.1:${port}`,
    stop: () => {
      server.closeAllConnections()
      server.close()
    }
  }
}

const good = await collector((_, response) => void response.writeHead(200).end())
const silent = await collector(() => {})
const nonsense = await collector(
  (_, response) => void response.writeHead(500, { "content-type": "text/html" }).end("<")
)
const gone = await collector(() => {})
gone.stop()

interface Way {
  readonly name: string
  readonly variant: Variant
  readonly node?: ReadonlyArray<string>
}
const off = "nothing counted"
const ways: ReadonlyArray<Way> = [
  { name: off, variant: {}, node: uncounted },
  { name: "counted, not exported", variant: {} },
  { name: "metrics", variant: { telemetry: { endpoint: good.url, traces: 0 } } },
  { name: "metrics, 1 % of traces", variant: { telemetry: { endpoint: good.url, traces: 0.01 } } },
  { name: "metrics, all traces", variant: { telemetry: { endpoint: good.url, traces: 1 } } }
]
const states: ReadonlyArray<Way> = [
  { name: "no telemetry", variant: {} },
  ...[
    ["collector takes all", good.url] as const,
    ["collector is down", gone.url] as const,
    ["collector never answers", silent.url] as const,
    ["collector answers nonsense", nonsense.url] as const
  ].map(([name, endpoint]): Way => ({ name, variant: { telemetry: { endpoint, traces: 1 } } }))
]

/** CPU with metrics alone and with every span, divided by CPU without. */
const targets: Readonly<Record<string, number>> = { metrics: 1.05, "metrics, all traces": 1.6 }

const lab = await Lab.open()
try {
  const subscriber = "bench.telemetry"
  await lab.run({ scenario: "declare", subscriber })
  // Longer than a second: the first export, which compiles the exporter, is not counted.
  const warm = (scenario: Job["scenario"]): number => (scenario === "embedded" ? 120_000 : 60_000)
  const cost = (scenario: Job["scenario"], count: number): ReadonlyArray<Rounds.Entry> =>
    ways.map(({ name, node, variant }) => ({
      name,
      run: async () => {
        await lab.purge(subscriber)
        if (scenario === "consume") await lab.supply([subscriber], warm(scenario) + count + 2_000)
        return lab.run(
          { scenario, subscriber, variant, warm: warm(scenario), count },
          node === undefined ? {} : { node }
        )
      }
    }))
  const latency = states.map(({ name, variant }) => ({
    name,
    run: async () => {
      await lab.purge(subscriber)
      return lab.run({ scenario: "latency", subscriber, variant, warm: 250, count: 1_500 })
    }
  }))
  const all: ReadonlyArray<Rounds.Experiment> = [
    { id: "embedded", title: "Embedded bus, publish to handler", entries: cost("embedded", 200_000) },
    { id: "publish", title: "RabbitMQ, publish", entries: cost("publish", 80_000) },
    { id: "consume", title: "RabbitMQ, consume", entries: cost("consume", 120_000) },
    { id: "latency", title: "RabbitMQ, publish to handler at 500 events/s, every span sampled", entries: latency }
  ]
  const only = process.env["BENCH_ONLY"]
  const experiments = all.filter(({ id }) => only === undefined || id === only)
  const found = await Rounds.run(experiments, rounds, (line) => void process.stderr.write(`${line}\n`))
  const missed: Array<string> = []
  const table = ({ entries, id, title }: Rounds.Experiment): ReadonlyArray<string> => [
    "",
    title,
    ...entries.map(({ name }) => {
      const of = (metric: Rounds.Metric, reference: string) =>
        found.ratio([id, name, metric], (round) => found.value(id, reference, metric, round))
      if (id === "latency") {
        const shown = [Rounds.p50, Rounds.p99].map(
          (metric) =>
            `${Report.show(found.over(id, name, metric), " ms")} = ${Report.show(of(metric, "no telemetry"), "x")}`
        )
        return `  ${name.padEnd(28)} p50 ${shown[0]}, p99 ${shown[1]}`
      }
      const ratio = of(Rounds.cpuPerEvent, off)
      const most = targets[name]
      const isMet = most === undefined || (ratio !== undefined && ratio.median <= most)
      if (!isMet) missed.push(`${title}: ${name}`)
      const verdict = most === undefined ? "" : isMet ? `, met: at most ${most}x` : `, MISSED: at most ${most}x`
      return `  ${name.padEnd(28)} ${Report.show(found.over(id, name, Rounds.cpuPerEvent), " µs")} = ${Report.show(ratio, "x")}${verdict}`
    })
  ]
  process.stdout.write(
    [
      `medians of ${rounds} rounds (least–most), CPU of the process an event; other processes used ${Report.show(found.otherCores)} cores`,
      ...experiments.flatMap(table),
      ...found.failures,
      ""
    ].join("\n")
  )
  if (missed.length + found.failures.length > 0) process.exitCode = 1
} finally {
  await lab.close()
  for (const one of [good, silent, nonsense]) one.stop()
}
