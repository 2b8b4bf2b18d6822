/**
 * The brokers of a run. Between two measurements queues are declared, emptied and filled. Nodes are the throw-away
 * ones of the tests, with all cores of the machine.
 */
import { connect } from "amqplib"
import { fork } from "node:child_process"
import { once } from "node:events"
import { join, resolve } from "node:path"
import { type Broker, findBroker } from "../test/support/provision.ts"
import { startRabbit } from "../test/support/RabbitNode.ts"
import { startRedis } from "../test/support/RedisNode.ts"
import { exchange, grade, message, namespace, properties, queueOf, typeOf, type DataOptions } from "./GradeMessage.ts"
import type { Job, Report } from "./scenarios/Job.ts"

export interface Lab {
  readonly run: (
    job: Partial<Job> & Pick<Job, "scenario" | "subscriber">,
    options?: {
      readonly node?: ReadonlyArray<string>
      /** `bench/` of another checkout, to measure a change. */
      readonly folder?: string | undefined
      /** How long it may take, in milliseconds. */
      readonly patience?: number
    }
  ) => Promise<Report>
  /** Empties the subscriber's queues. */
  readonly purge: (subscriber: string) => Promise<void>
  /** Publishes this many events by hand; they are in the queues when it resolves. */
  readonly supply: (subscribers: ReadonlyArray<string>, count: number, data?: DataOptions) => Promise<void>
  /** Declares a classic queue in place of the quorum queue of the library. */
  readonly declareClassic: (subscriber: string) => Promise<void>
  /** Declares a queue for all events that match. */
  readonly declareFor: (queue: string, pattern: string) => Promise<void>
  /** Starts a process: milliseconds to its first message, and that message. */
  readonly start: (script: string, argument?: string) => Promise<{ readonly millis: number; readonly said: unknown }>
  readonly version: () => Promise<string>
  readonly redisUrl: string
  readonly close: () => Promise<void>
}

const here = import.meta.dirname
const defaults = {
  peer: "ours",
  variant: {},
  warm: 0,
  count: 0,
  inFlight: 1000,
  prefetch: 250,
  rate: 500,
  data: {},
  breadth: 1,
  foreignQueue: false
} satisfies Partial<Job>

/** How long one run may take, in milliseconds. */
const patience = 180_000

const fromChild = async (
  script: string,
  args: ReadonlyArray<string>,
  execArgv: ReadonlyArray<string> = [],
  longest: number = patience
): Promise<unknown> => {
  const child = fork(script, args, { stdio: ["ignore", "ignore", "pipe", "ipc"], execArgv: [...execArgv] })
  let complaint = ""
  child.stderr?.on("data", (chunk: Buffer) => (complaint = `${complaint}${chunk.toString()}`.slice(-4000)))
  const timer = setTimeout(() => child.kill("SIGKILL"), longest)
  try {
    const ended = once(child, "exit").then(([code]) => {
      throw new Error(`${script} ended with ${String(code)}: ${complaint}`)
    })
    ended.catch(() => {})
    const [said] = await Promise.race([once(child, "message"), ended])
    return said
  } finally {
    clearTimeout(timer)
    if (child.exitCode === null && child.signalCode === null) {
      // A process writes its profile when it ends.
      const left = setTimeout(() => child.kill("SIGKILL"), 10_000)
      child.once("exit", () => clearTimeout(left))
      if (execArgv.length === 0) child.kill("SIGKILL")
      await once(child, "exit")
    }
  }
}

/** Brokers must be processes of this machine, whose CPU can be read. On Debian, as root, they are installed. */
const provide = async (broker: Broker): Promise<void> => {
  const reason = await findBroker(broker, { install: "brokers" }).then(
    ({ kind }) => (kind === "installed" ? undefined : "not installed on this machine itself"),
    (error: unknown) => (error instanceof Error ? error.message : String(error))
  )
  if (reason === undefined) return
  throw new Error(
    `the benchmark needs RabbitMQ and Redis here: install rabbitmq-server and redis-server; on Debian or Ubuntu, as root, it does so by itself (${reason})`
  )
}

export const open = async (): Promise<Lab> => {
  for (const broker of ["rabbitmq", "redis"] as const) await provide(broker)
  const rabbit = await startRabbit({ conf: { "vm_memory_high_watermark.absolute": "4GB" }, schedulers: "all" })
  const redis = await startRedis()
  const brokerPid = Number((await rabbit.eval("os:getpid().")).replace(/\D/g, ""))
  const connection = await connect(rabbit.url, { noDelay: true })
  const channel = await connection.createConfirmChannel()
  const dead = (subscriber: string): string => `${namespace}.dead.${subscriber}`
  return {
    run: async (job, options = {}) => {
      const whole: Job = { ...defaults, url: rabbit.url, brokerPid, ...job }
      const said = await fromChild(
        resolve(here, options.folder ?? "", "worker.ts"),
        [JSON.stringify(whole)],
        options.node,
        options.patience
      )
      // The worker is ours: it sends a report or nothing.
      return said as Report
    },
    purge: async (subscriber) => {
      await channel.purgeQueue(queueOf(subscriber))
      await channel.purgeQueue(dead(subscriber))
    },
    supply: async (subscribers, count, data) => {
      const types = subscribers.map(typeOf)
      for (let index = 0; index < count; index++) {
        const type = types[index % types.length] ?? ""
        const sent = message(type, grade(index, data), data?.keys !== undefined)
        if (!channel.publish(exchange, type, sent.body, properties(type, sent))) await once(channel, "drain")
        if (index % 1000 === 999) await channel.waitForConfirms()
      }
      await channel.waitForConfirms()
    },
    declareClassic: async (subscriber) => {
      await channel.assertQueue(queueOf(subscriber), { durable: true, arguments: { "x-queue-type": "classic" } })
      await channel.assertQueue(dead(subscriber), { durable: true, arguments: { "x-queue-type": "classic" } })
      await channel.bindQueue(queueOf(subscriber), exchange, typeOf(subscriber))
    },
    declareFor: async (queue, pattern) => {
      await channel.assertQueue(queueOf(queue), { durable: true, arguments: { "x-queue-type": "quorum" } })
      await channel.assertQueue(dead(queue), { durable: true, arguments: { "x-queue-type": "quorum" } })
      await channel.bindQueue(queueOf(queue), exchange, pattern)
    },
    start: async (script, argument = rabbit.url) => {
      const from = performance.now()
      const said = await fromChild(join(here, `starts/${script}.mjs`), [argument])
      return { millis: performance.now() - from, said }
    },
    version: () => rabbit.ctl("version"),
    redisUrl: redis.url,
    close: async () => {
      await connection.close()
      await redis.stop()
      await rabbit.stop()
    }
  }
}
