/**
 * What a consumer timeout of 8 seconds does to the order of a key: `npm run bench:timeouts`.
 *
 * RabbitMQ 4.3 takes back what a consumer holds for longer than its timeout, and another consumer is active at once. So
 * the events of a hot key, whose handlers take 100 ms each, meet it behind the first eighty of them. Each library consumes
 * a quorum queue with a single active consumer and a prefetch of 250, in one process and in two; all of them at once, on
 * one node. Their handlers only wait. The last workload has slow handlers for all keys, not for one.
 *
 * Settings: `BENCH_EVENTS` (600 of the hot key), `EVENTBUS_TEST_RABBITMQ` (4.3). The exit code is 1 when this library
 * loses the order of a key, handles an event twice, leaves one unhandled or dead-letters one.
 */
import { type Channel, type ConfirmChannel, connect } from "amqplib"
import { fork } from "node:child_process"
import { join } from "node:path"
import { setTimeout } from "node:timers/promises"
import { startRabbit } from "../test/support/RabbitNode.ts"
import { exchange, grade, message, namespace, properties, queueOf, typeOf } from "./GradeMessage.ts"
import { installPeers } from "./packages.ts"
import { type Findings, Judge } from "./timeouts/Judge.ts"
import type { Job, Report } from "./timeouts/Protocol.ts"

process.env["EVENTBUS_TEST_RABBITMQ"] ??= "4.3"
const events = Number(process.env["BENCH_EVENTS"] ?? 600)
const names = ["amqplib", "amqplib, consuming again", "golevelup", "rascal", "ours"]
const timeoutMillis = 8000
/** A run without an event handled for the first time for this long has stopped. */
const standstillMillis = 45_000

interface Workload {
  readonly title: string
  readonly names: ReadonlyArray<string>
  readonly processes: number
  readonly concurrency: number
  readonly handlerMillis: number
  /** The key of each event. */
  readonly keys: ReadonlyArray<string>
}

interface Row extends Findings {
  readonly name: string
  readonly deadLetters: number
  readonly seconds: number
}

/** Every tenth event is of another key. */
const hotKeys = Array.from({ length: events }, (_, n) => (n % 10 === 9 ? `other-${n % 60}` : "hot"))
const workloads: ReadonlyArray<Workload> = [1, 2].map((processes) => ({
  title: `one hot key, handlers of 100 ms, ${processes === 1 ? "one process" : "two processes"}`,
  names,
  processes,
  concurrency: 16,
  handlerMillis: 100,
  keys: hotKeys
}))
const slow: Workload = {
  title: "240 keys, handlers of 1 s, four at once, one process",
  names: ["ours"],
  processes: 1,
  concurrency: 4,
  handlerMillis: 1000,
  keys: Array.from({ length: 240 }, (_, n) => `key-${n}`)
}

installPeers()
const rabbit = await startRabbit({ conf: { consumer_timeout: String(timeoutMillis) }, schedulers: "all" })
const children = new Set<ReturnType<typeof fork>>()

/** Starts a consuming process, and again a second after its end, as whatever supervises it would. Resolves when it consumes. */
const start = (job: Job, heard: (report: Report) => void): Promise<void> =>
  new Promise((resolve) => {
    const child = fork(join(import.meta.dirname, "timeouts/consumer.ts"), [JSON.stringify(job)], {
      stdio: ["ignore", "ignore", "pipe", "ipc"]
    })
    children.add(child)
    let complaint = ""
    child.stderr?.on("data", (chunk: Buffer) => (complaint = `${complaint}${chunk.toString()}`.slice(-2000)))
    const running = new Map<string, { readonly key: string; readonly n: number }>()
    child.on("message", (said) => {
      // The process is ours, and sends nothing else.
      const report = said as Report
      if (report._tag === "Began") running.set(`${report.key} ${report.n}`, report)
      if (report._tag === "Ended") running.delete(`${report.key} ${report.n}`)
      heard(report)
      if (report._tag === "Ready") resolve()
    })
    child.once("exit", (code) => {
      // Ended by this process.
      if (!children.delete(child)) return
      for (const { key, n } of running.values()) heard({ _tag: "Died", key, n, at: Date.now() })
      const error = complaint.split("\n").find((line) => line.includes("Error")) ?? `code ${String(code)}`
      heard({ _tag: "Said", text: `the process ended: ${error}` })
      void setTimeout(1000)
        .then(() => start(job, heard))
        .then(resolve)
    })
  })

const endAll = (): void => {
  const all = [...children]
  children.clear()
  for (const child of all) child.kill("SIGKILL")
}

/** The queues of the others are as that of this library. */
const declare = async (channel: Channel, subscriber: string): Promise<void> => {
  await channel.assertQueue(`${namespace}.dead.${subscriber}`, { arguments: { "x-queue-type": "quorum" } })
  await channel.assertQueue(queueOf(subscriber), {
    arguments: {
      "x-queue-type": "quorum",
      "x-single-active-consumer": true,
      "x-delivery-limit": 20,
      "x-dead-letter-exchange": "",
      "x-dead-letter-routing-key": `${namespace}.dead.${subscriber}`
    }
  })
  await channel.bindQueue(queueOf(subscriber), exchange, typeOf(subscriber))
}

const supply = async (channel: ConfirmChannel, subscriber: string, keys: ReadonlyArray<string>): Promise<void> => {
  const type = typeOf(subscriber)
  for (const [n, key] of keys.entries()) {
    const sent = message(type, { ...grade(0), studentId: key, grade: n }, true)
    channel.publish(exchange, type, sent.body, properties(type, sent))
  }
  await channel.waitForConfirms()
}

const judge = async (channel: ConfirmChannel, workload: Workload, name: string, index: number): Promise<Row> => {
  const subscriber = `timeouts.${workloads.indexOf(workload) + 1}.${index}`
  const { concurrency, handlerMillis, keys, processes } = workload
  const job: Job = {
    consumer: name,
    url: rabbit.url,
    subscriber,
    prefetch: 250,
    concurrency,
    handlerMillis,
    declareOnly: false
  }
  if (name === "ours") await start({ ...job, declareOnly: true }, () => {})
  else await declare(channel, subscriber)
  await supply(channel, subscriber, keys)
  const judge = new Judge()
  const from = Date.now()
  for (let process = 0; process < processes; process++) await start(job, (report) => judge.heard(report))
  judge.lastProgress = Date.now()
  while (judge.handled() < keys.length && Date.now() - judge.lastProgress < standstillMillis) await setTimeout(100)
  const seconds = (Date.now() - from) / 1000
  // What is handled twice comes behind the last one.
  await setTimeout(timeoutMillis)
  const { messageCount } = await channel.checkQueue(`${namespace}.dead.${subscriber}`)
  return { ...judge.findings(), name, seconds, deadLetters: messageCount }
}

const print = ({ keys, title }: Workload, rows: ReadonlyArray<Row>): void => {
  const lines = rows.map(({ again, deadLetters, handled, name, outOfOrder, overlaps, said, seconds }) => {
    const words = Array.from(said, ([text, count]) => `${text}${count > 1 ? ` (${count})` : ""}`).join("; ")
    const cells = [
      name,
      `${handled} of ${keys.length}`,
      outOfOrder,
      overlaps,
      again,
      deadLetters,
      seconds.toFixed(0),
      words
    ]
    return `| ${cells.join(" | ")} |`
  })
  const head = [
    "consumer",
    "handled",
    "out of order",
    "two of a key at once",
    "handled again",
    "dead letters",
    "seconds"
  ]
  process.stdout.write(
    [
      `${title}:\n`,
      `| ${[...head, "what it said"].join(" | ")} |`,
      `| --- |${" ---: |".repeat(head.length - 1)} --- |`,
      ...lines,
      "\n"
    ].join("\n")
  )
}

try {
  const connection = await connect(rabbit.url, { noDelay: true })
  const channel = await connection.createConfirmChannel()
  process.stdout.write(
    `RabbitMQ ${await rabbit.ctl("version")}, consumer_timeout ${timeoutMillis} ms, prefetch 250, ${events} events\n\n`
  )
  // The exchange is the library's.
  const first: Job = {
    consumer: "ours",
    url: rabbit.url,
    subscriber: "timeouts.first",
    prefetch: 1,
    concurrency: 1,
    handlerMillis: 0,
    declareOnly: true
  }
  await start(first, () => {})
  for (const workload of [...workloads, slow]) {
    const rows = await Promise.all(workload.names.map((name, index) => judge(channel, workload, name, index)))
    print(workload, rows)
    endAll()
    for (const { again, deadLetters, handled, name, outOfOrder, overlaps } of rows)
      if (name === "ours" && (again + deadLetters + outOfOrder + overlaps > 0 || handled < workload.keys.length))
        process.exitCode = 1
  }
  await connection.close()
} finally {
  endAll()
  await rabbit.stop()
}
