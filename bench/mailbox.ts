/**
 * What does order cost? `npm run bench:mailbox`.
 *
 * First the mailbox alone, in nanoseconds an event: offered, taken and done, 250 events at a time, without order, in
 * lanes of many keys and in one lane. Then whole events, CPU of the process: handled on the embedded bus and consumed
 * from RabbitMQ, without order and by key (1,000 keys), in turns, each in a process of its own; ratios are taken
 * within a round. Only RabbitMQ has a target: without a broker an event costs little, so the lane is a larger part.
 *
 * Setting: `BENCH_ROUNDS` (7). The exit code is 1 when the target is missed.
 */
import { KeyedMailbox } from "../src/bus/handle/Lanes.ts"
import { type Mailbox, UnorderedMailbox } from "../src/bus/handle/Mailbox.ts"
import * as Lab from "./Lab.ts"
import * as Report from "./Report.ts"
import * as Rounds from "./Rounds.ts"
import type { Job } from "./scenarios/Job.ts"

const rounds = Number(process.env["BENCH_ROUNDS"] ?? 7)
const atMost = 1.15
const window = 250
const print = (line: string): void => void process.stderr.write(`${line}\n`)

interface Item {
  readonly key: string | undefined
}

/** Nanoseconds an event. */
const alone = (box: Mailbox<Item>, items: ReadonlyArray<Item>, times: number): number => {
  const from = performance.now()
  for (let time = 0; time < times; time++) {
    for (const item of items) box.offer(item, item.key)
    for (let left = items.length; left > 0;) {
      const item = box.take()
      if (item === undefined) throw new Error("nothing is free, though nothing runs")
      box.done(item.key)
      left--
    }
  }
  if (box.size() + box.lanes() > 0) throw new Error("something was left")
  return ((performance.now() - from) * 1e6) / (times * items.length)
}

const itemsOf = (key: (index: number) => string | undefined): ReadonlyArray<Item> =>
  Array.from({ length: window }, (_, index) => ({ key: key(index) }))

const micro = (): ReadonlyArray<string> => {
  const ways: ReadonlyArray<readonly [string, () => Mailbox<Item>, ReadonlyArray<Item>]> = [
    ["without order", () => new UnorderedMailbox(), itemsOf(() => undefined)],
    ["250 keys", () => new KeyedMailbox(), itemsOf((index) => `student-${index}`)],
    ["10 keys", () => new KeyedMailbox(), itemsOf((index) => `student-${index % 10}`)],
    ["one key", () => new KeyedMailbox(), itemsOf(() => "student-1")]
  ]
  const found = ways.map(() => Array<number>())
  for (let round = -2; round < rounds; round++) {
    for (const [index, [, make, items]] of ways.entries()) {
      const nanos = alone(make(), items, 2_000)
      if (round >= 0) found[index]?.push(nanos)
    }
  }
  return ways.map(
    ([name], index) => `mailbox alone, ${name.padEnd(14)} ${Report.show(Rounds.spread(found[index] ?? []), " ns")}`
  )
}

const small = micro()
const lab = await Lab.open()
try {
  const [none, keyed] = ["bench.mailbox", "bench.mailbox-keyed"]
  await lab.run({ scenario: "declare", subscriber: none })
  await lab.run({ scenario: "declare", subscriber: keyed, variant: { ordering: "key" } })
  const warm = 15_000
  // Both have keys on the wire, so that only the lanes differ.
  const data = { keys: 1_000 }
  const way = (scenario: Job["scenario"], ordering: "none" | "key"): Rounds.Entry => ({
    name: ordering === "none" ? "without order" : "by key",
    run: async () => {
      const subscriber = ordering === "none" ? none : keyed
      const count = scenario === "embedded" ? 150_000 : 60_000
      if (scenario === "consume") {
        await lab.purge(subscriber)
        await lab.supply([subscriber], warm + count + 2_000, data)
      }
      return lab.run({ scenario, subscriber, variant: { ordering, keyed: true }, warm, count, data })
    }
  })
  const both = (id: string, title: string, scenario: Job["scenario"]): Rounds.Experiment => ({
    id,
    title,
    entries: [way(scenario, "none"), way(scenario, "key")]
  })
  const experiments = [
    both("embedded", "Embedded bus, publish to handler", "embedded"),
    both("consume", "RabbitMQ, consume", "consume")
  ]
  const found = await Rounds.run(experiments, rounds, print)
  const checks = experiments.map(({ id, title }) => {
    const ratio = found.ratio([id, "by key", Rounds.cpuPerEvent], (round) =>
      found.value(id, "without order", Rounds.cpuPerEvent, round)
    )
    const verdict = id !== "consume" ? "      " : ratio !== undefined && ratio.median <= atMost ? "met   " : "MISSED"
    return { id, title, ratio, verdict }
  })
  process.stdout.write(
    [
      `medians of ${rounds} rounds (least–most); other processes used ${Report.show(found.otherCores)} cores`,
      ...small,
      ...checks.flatMap(({ id, ratio, title, verdict }) => [
        ...["without order", "by key"].map(
          (name) => `${title}, ${name.padEnd(14)} ${Report.show(found.over(id, name, Rounds.cpuPerEvent), " µs")}`
        ),
        `${verdict}  ${title}, by key to without order: ${Report.show(ratio, "x")}${id === "consume" ? `, at most ${atMost}x` : ""}`
      ]),
      ""
    ].join("\n")
  )
  if (checks.some(({ verdict }) => verdict === "MISSED") || found.failures.length > 0) process.exitCode = 1
} finally {
  await lab.close()
}
