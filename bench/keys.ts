/**
 * Do many keys cost more than few? `npm run bench:keys`.
 *
 * One subscriber with `ordering: "key"` consumes from RabbitMQ events of 100 keys and of 100,000 keys, in turns, each
 * in a process of its own; ratios are taken within a round. CPU is that of the consuming process; memory is the heap
 * in use after a full collection, and the resident memory. A lane exists only while it has work, so there are at most
 * as many lanes as the prefetch.
 *
 * Settings: `BENCH_ROUNDS` (5), `BENCH_EVENTS` (200,000). The exit code is 1 when a target is missed.
 */
import * as Lab from "./Lab.ts"
import * as Report from "./Report.ts"
import * as Rounds from "./Rounds.ts"

const rounds = Number(process.env["BENCH_ROUNDS"] ?? 5)
const count = Number(process.env["BENCH_EVENTS"] ?? 200_000)
const prefetch = 250
const few = 100
const many = 100_000
const subscriber = "bench.keys"
const variant = { ordering: "key" } as const

const lab = await Lab.open()
try {
  await lab.run({ scenario: "declare", subscriber, variant })
  const entry = (keys: number): Rounds.Entry => ({
    name: `${keys} keys`,
    run: async () => {
      const warm = 20_000
      await lab.purge(subscriber)
      // More events than are measured, so that the window is full to the end.
      await lab.supply([subscriber], warm + count + 4 * prefetch, { keys })
      return lab.run(
        { scenario: "lanes", subscriber, variant, warm, count, prefetch, data: { keys } },
        { node: ["--expose-gc"] }
      )
    }
  })
  const id = "keys"
  const found = await Rounds.run(
    [{ id, title: "Keys", entries: [entry(few), entry(many)] }],
    rounds,
    (line) => void process.stderr.write(`${line}\n`)
  )
  const [a, b] = [`${few} keys`, `${many} keys`]
  const against = (metric: Rounds.Metric) => found.ratio([id, b, metric], (round) => found.value(id, a, metric, round))
  const heap: Rounds.Metric = (report) => report.heapMiB
  const grown: Rounds.Metric = (report) => report.heapGrowthMiB
  const lanes: Rounds.Metric = (report) => report.lanes
  const line = (name: string, unit: string, metric: Rounds.Metric): string =>
    `${name.padEnd(26)} ${[a, b].map((one) => `${one}: ${Report.show(found.over(id, one, metric), unit)}`).join("   ")}   ratio ${Report.show(against(metric), "x")}`
  const cpu = against(Rounds.cpuPerEvent)
  const growth = found.over(id, b, grown)
  const most = Math.max(found.over(id, a, lanes)?.max ?? 0, found.over(id, b, lanes)?.max ?? 0)
  const checks: ReadonlyArray<readonly [string, boolean]> = [
    ["CPU per event: at most 1.15x", cpu !== undefined && cpu.median <= 1.15],
    // For a process that starts small; the rest is code that V8 flushes.
    [`heap since the warm-up with ${many} keys: at most 2 MiB`, growth !== undefined && growth.median <= 2],
    [`at most ${prefetch} lanes at once (${most} seen)`, most > 0 && most <= prefetch],
    ["no failed run", found.failures.length === 0]
  ]
  process.stdout.write(
    [
      `${count.toLocaleString("en-US")} events, prefetch ${prefetch}, medians of ${rounds} rounds (least–most); other processes used ${Report.show(found.otherCores)} cores`,
      line("CPU per event", " µs", Rounds.cpuPerEvent),
      line("events per second", "", Rounds.eventsPerSecond),
      line("heap in use", " MiB", heap),
      line("heap since the warm-up", " MiB", grown),
      line("resident", " MiB", Rounds.rss),
      line("most lanes", "", lanes),
      ...checks.map(([what, met]) => `${met ? "met   " : "MISSED"}  ${what}`),
      ""
    ].join("\n")
  )
  if (!checks.every(([, met]) => met)) process.exitCode = 1
} finally {
  await lab.close()
}
