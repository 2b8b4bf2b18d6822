/**
 * Where a run takes place: a RabbitMQ and a Redis of its own, the processes with a proxy each to both,
 * what they wrote, and an observer who goes to the broker directly.
 */
import { type Channel, connect } from "amqplib"
import { copyFileSync, mkdirSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as delay } from "node:timers/promises"
import { type RabbitNode, startRabbit } from "../support/RabbitNode.ts"
import { type RedisNode, startRedis } from "../support/RedisNode.ts"
import { openScratch, type Scratch } from "../support/Scratch.ts"
import type { Group } from "./Contract.ts"
import { type Entry, now } from "./Ledger.ts"
import { makeWorker, type Worker, type WorkerOptions } from "./Worker.ts"

/** Something that was done to the processes or brokers, and how long it lasted. */
export interface Window {
  readonly kind: string
  /** The processes that could notice; all of them when empty. */
  readonly targets: ReadonlyArray<string>
  readonly from: number
  readonly to: number
}

/** The brokers, which several runs may share one after the other. */
export interface Brokers extends AsyncDisposable {
  readonly node: RabbitNode
  readonly redis: RedisNode
  readonly scratch: Scratch
}

export const openBrokers = async (): Promise<Brokers> => {
  const scratch = openScratch("chaos")
  const [node, redis] = await Promise.all([startRabbit(), startRedis()])
  return {
    node,
    redis,
    scratch,
    [Symbol.asyncDispose]: async () => {
      await scratch.close()
      await Promise.all([node.stop(), redis.stop()])
    }
  }
}

export interface Stage extends Brokers {
  readonly namespace: string
  readonly seed: number
  readonly workers: ReadonlyArray<Worker>
  readonly groups: ReadonlyArray<Group>
  readonly add: (options: WorkerOptions) => Promise<Worker>
  readonly worker: (name: string) => Worker
  /** Everything that was written until now. */
  readonly read: () => ReadonlyArray<Entry>
  readonly windows: Array<Window>
  /** Does something to them and writes down from when to when. */
  readonly during: (kind: string, targets: ReadonlyArray<string>, act: () => Promise<void>) => Promise<void>
  /** Asks the broker, past all proxies. */
  readonly observe: <A>(look: (channel: Channel) => Promise<A>) => Promise<A>
  readonly ready: (queue: string) => Promise<number>
  /** Copies what was written to a folder that stays. */
  readonly keep: (folder: string) => void
}

export const openStage = (brokers: Brokers, namespace: string, seed: number): Stage => {
  const { node, redis, scratch } = brokers
  const workers: Array<Worker> = []
  const groups: Array<Group> = []
  const windows: Array<Window> = []
  const entries: Array<Entry> = []
  const observe = async <A>(look: (channel: Channel) => Promise<A>): Promise<A> => {
    const model = await connect(node.url, { timeout: 5000 })
    model.on("error", () => {})
    try {
      const channel = await model.createChannel()
      channel.on("error", () => {})
      return await look(channel)
    } finally {
      await model.close().catch(() => {})
    }
  }
  return {
    ...brokers,
    namespace,
    seed,
    workers,
    groups,
    windows,
    add: async (options) => {
      const worker = await makeWorker(scratch, { amqp: node.port, redis: redis.port }, namespace, options)
      workers.push(worker)
      if (options.role === "subscriber")
        for (const group of options.groups) if (!groups.some(({ name }) => name === group.name)) groups.push(group)
      await worker.start()
      return worker
    },
    worker: (name) => {
      const found = workers.find((worker) => worker.name === name)
      if (found === undefined) throw new Error(`no process is called ${name}`)
      return found
    },
    read: () => {
      for (const { reader } of workers) entries.push(...reader.read())
      return entries
    },
    during: async (kind, targets, act) => {
      const from = now()
      await act()
      windows.push({ kind, targets, from, to: now() })
    },
    observe,
    ready: (queue) => observe(async (channel) => (await channel.checkQueue(queue)).messageCount),
    keep: (folder) => {
      mkdirSync(folder, { recursive: true })
      for (const file of readdirSync(scratch.dir))
        if (file.startsWith(`${namespace}.`)) copyFileSync(join(scratch.dir, file), join(folder, file))
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(workers.map((worker) => worker.close()))
    }
  }
}

/** Waits for what nobody announces. */
export const until = async (
  what: string,
  condition: () => Promise<boolean> | boolean,
  millis = 30_000
): Promise<void> => {
  const end = now() + millis
  while (!(await condition())) {
    if (now() > end) throw new Error(`not within ${millis / 1000} seconds: ${what}`)
    await delay(50)
  }
}

/** Waits until each of these is ready, in its present life. */
export const allReady = (stage: Stage, workers: ReadonlyArray<Worker> = stage.workers): Promise<void> =>
  until("every process is ready", () => {
    const entries = stage.read()
    return workers.every(({ deaths, isAlive, name }) => {
      if (!isAlive()) throw new Error(`${name} ended while it started: ${stage.worker(name).noise()}`)
      return entries.some(({ life, t, who }) => t === "ready" && who === name && life === deaths.length + 1)
    })
  })

/**
 * The same while brokers may be down: a service that cannot reach its broker fails to start, by design, and
 * is started again, as whoever runs services does.
 */
export const bringUp = (stage: Stage, workers: ReadonlyArray<Worker>): Promise<void> =>
  until(
    "every process is back",
    async () => {
      for (const worker of workers) await worker.start()
      const entries = stage.read()
      return workers.every(({ deaths, name }) =>
        entries.some(({ life, t, who }) => t === "ready" && who === name && life === deaths.length + 1)
      )
    },
    90_000
  )
