/** How cost grows with subscribers, keys, sizes, publishers and event types: a table and a picture each. And memory over ten million events. */
import type { Lab } from "./Lab.ts"
import * as Plot from "./Plot.ts"
import { cpuPerEvent, spread } from "./Rounds.ts"
import type { Report } from "./scenarios/Job.ts"

export interface Text {
  readonly title: string
  readonly rounds: number
  readonly body: string
  readonly pictures: ReadonlyArray<readonly [file: string, svg: string]>
}

interface Series {
  readonly id: string
  readonly title: string
  readonly axis: string
  readonly at: ReadonlyArray<number>
  readonly measure: (size: number) => Promise<Report>
}

const sink = "bench.growth"

const series = (lab: Lab, quick: boolean): ReadonlyArray<Series> => {
  const part = quick ? 0.1 : 1
  const embedded = Math.ceil(100_000 * part)
  const steady = Math.ceil(40_000 * part)
  const warm = Math.ceil(10_000 * part)
  const filled = async (
    count: number,
    names: ReadonlyArray<string>,
    data: { readonly keys?: number; readonly padding?: number } = {}
  ) => {
    for (const name of names) await lab.purge(name)
    await lab.supply(names, count, data)
  }
  const bodyOf = (bytes: number): { readonly padding: number } => ({ padding: Math.max(1, bytes - 330) })
  const some = (bytes: number): number => Math.ceil(Math.min(steady, Math.max(50, (128 * 2 ** 20 * part) / bytes)))
  const breadthNames = (breadth: number) => Array.from({ length: breadth }, (_, index) => `${sink}.wide-${index}`)
  return [
    {
      id: "subscribers-embedded",
      title: "Subscribers in one process, embedded bus",
      axis: "subscribers of one event",
      at: [1, 10, 100],
      measure: (breadth) =>
        lab.run({
          scenario: "embedded",
          subscriber: sink,
          warm: Math.ceil(warm / breadth),
          count: Math.ceil(embedded / Math.sqrt(breadth)),
          breadth
        })
    },
    {
      id: "subscribers",
      title: "Subscribers in one process, RabbitMQ",
      axis: "subscribers, each with a queue",
      at: [1, 10, 100],
      measure: async (breadth) => {
        if (breadth === 1) {
          await filled(warm + steady + 2_000, [sink])
          return lab.run({ scenario: "consume", subscriber: sink, warm, count: steady, prefetch: 32 })
        }
        await lab.run({ scenario: "declare", subscriber: `${sink}.wide`, breadth })
        await filled(warm + steady + 2_000 + 40 * breadth, breadthNames(breadth))
        return lab.run({ scenario: "consume", subscriber: `${sink}.wide`, breadth, warm, count: steady, prefetch: 32 })
      }
    },
    {
      id: "keys-embedded",
      title: "Keys, embedded bus, lanes by key",
      axis: "keys",
      at: [1, 10, 100, 1_000, 10_000, 100_000],
      measure: (keys) =>
        lab.run({
          scenario: "embedded",
          subscriber: sink,
          variant: { ordering: "key" },
          warm,
          count: Math.max(embedded, quick ? 0 : keys * 2),
          data: { keys }
        })
    },
    {
      id: "keys",
      title: "Keys, RabbitMQ, lanes by key",
      axis: "keys",
      at: [1, 10, 100, 1_000, 10_000, 100_000],
      measure: async (keys) => {
        await filled(warm + steady + 2_000, [`${sink}.keyed`], { keys })
        return lab.run({
          scenario: "consume",
          subscriber: `${sink}.keyed`,
          variant: { ordering: "key" },
          warm,
          count: steady
        })
      }
    },
    {
      id: "publish-size",
      title: "Size of an event: publish",
      axis: "bytes",
      at: [400, 1_000, 10_000, 100_000, 1_000_000],
      measure: async (bytes) => {
        await lab.purge(sink)
        return lab.run({
          scenario: "publish",
          subscriber: sink,
          warm: Math.ceil(some(bytes) / 4),
          count: some(bytes),
          data: bodyOf(bytes)
        })
      }
    },
    {
      id: "consume-size",
      title: "Size of an event: consume",
      axis: "bytes",
      at: [400, 1_000, 10_000, 100_000, 1_000_000],
      measure: async (bytes) => {
        const first = Math.ceil(some(bytes) / 4)
        await filled(first + some(bytes) + Math.ceil(some(bytes) / 10), [sink], bodyOf(bytes))
        return lab.run({ scenario: "consume", subscriber: sink, warm: first, count: some(bytes) })
      }
    },
    {
      id: "publishers",
      title: "Publishing processes beside each other",
      axis: "processes",
      at: [1, 2, 4, 8],
      measure: async (count) => {
        await lab.purge(sink)
        const share = Math.ceil((steady * 2) / count)
        const all = await Promise.all(
          Array.from({ length: count }, () =>
            lab.run({
              scenario: "publish",
              subscriber: sink,
              warm: Math.ceil(warm / 2),
              count: share,
              inFlight: Math.ceil(1000 / count)
            })
          )
        )
        const sum = (metric: (report: Report) => number): number =>
          all.reduce((total, report) => total + metric(report), 0)
        const speed = sum(({ events, seconds }) => events / seconds)
        const events = sum((report) => report.events)
        const [first] = all
        if (first === undefined) throw new Error("no publisher ran")
        return { ...first, events, seconds: events / speed, cpuMicros: sum(({ cpuMicros }) => cpuMicros) }
      }
    },
    {
      id: "types",
      title: "Event types, published in turns",
      axis: "event types",
      at: [1, 10, 100, 1_000],
      measure: async (breadth) => {
        await lab.purge(`${sink}.all`)
        return lab.run({ scenario: "publish", subscriber: `${sink}.type`, breadth, warm, count: steady })
      }
    }
  ]
}

export const run = async (lab: Lab, quick: boolean, print: (line: string) => void): Promise<Text> => {
  const rounds = quick ? 1 : 2
  await lab.run({ scenario: "declare", subscriber: sink })
  await lab.run({ scenario: "declare", subscriber: `${sink}.keyed`, variant: { ordering: "key" } })
  await lab.declareFor(`${sink}.all`, `${sink}.#`)
  const sections: Array<string> = []
  const pictures: Array<readonly [string, string]> = []
  for (const { at, axis, id, measure, title } of series(lab, quick)) {
    // The queue for all types would also get the events of the other series.
    const found = new Map<number, Array<Report>>()
    for (let round = 0; round < rounds; round++) {
      for (const size of at) {
        const report = await measure(size)
        found.set(size, [...(found.get(size) ?? []), report])
        print(
          `${title} · ${size}: ${cpuPerEvent(report)?.toFixed(2)} µs, ${Math.round(report.events / report.seconds)} events/s`
        )
      }
    }
    const median = (size: number, metric: (report: Report) => number): number =>
      spread((found.get(size) ?? []).map(metric))?.median ?? Number.NaN
    const cost = (size: number): number => median(size, ({ cpuMicros, events }) => cpuMicros / events)
    const rows = at.map((size) => {
      const cells = [
        size.toLocaleString("en-US"),
        cost(size).toFixed(2),
        Math.round(median(size, ({ events, seconds }) => events / seconds)).toLocaleString("en-US"),
        median(size, ({ rssMiB }) => rssMiB).toFixed(0)
      ]
      return `| ${cells.join(" | ")} |`
    })
    sections.push(
      [
        `## ${title}`,
        "",
        `| ${axis} | CPU µs/event | events/s | RSS MiB |`,
        "| --- | --- | --- | --- |",
        ...rows,
        "",
        `![${title}](growth-${id}.svg)`
      ].join("\n")
    )
    pictures.push([
      `growth-${id}.svg`,
      Plot.lines(
        title,
        axis,
        "client CPU per event, µs",
        at.map((x) => ({ x, y: cost(x) }))
      )
    ])
  }
  return { title: "# How cost grows", rounds, body: sections.join("\n\n"), pictures }
}

/** Memory of one process over ten million events of the embedded bus, in twenty parts. */
export const soak = async (lab: Lab, quick: boolean, print: (line: string) => void): Promise<Text> => {
  const count = quick ? 200_000 : 10_000_000
  const job = { scenario: "soak", subscriber: "bench.soak", warm: 50_000, count } as const
  const report = await lab.run(job, { patience: 1_200_000 })
  const memory = report.memory ?? []
  print(`RSS: ${memory.map((value) => value.toFixed(0)).join(" ")} MiB`)
  const points = memory.map((y, index) => ({ x: ((index + 1) * count) / memory.length, y }))
  return {
    title: "# Memory over many events",
    rounds: 1,
    body: [
      "| events | RSS MiB |",
      "| --- | --- |",
      ...points.map(({ x, y }) => `| ${Math.round(x).toLocaleString("en-US")} | ${y.toFixed(0)} |`),
      "",
      "![Memory over many events](soak.svg)"
    ].join("\n"),
    pictures: [["soak.svg", Plot.lines("Resident memory of one process", "events", "MiB", points)]]
  }
}
