/**
 * What a run takes place on: its own RabbitMQ and Redis, the processes with a proxy each to both, their
 * journals, and an observer that goes to the broker directly.
 */
import { type Channel, connect } from "amqplib"
import { copyFileSync, mkdirSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as delay } from "node:timers/promises"
import { type RabbitNode, startRabbit } from "../support/RabbitNode.ts"
import { startCluster } from "../support/RabbitCluster.ts"
import { type RedisNode, startRedis } from "../support/RedisNode.ts"
import { type RedisSentinels, startSentinels } from "../support/RedisSentinels.ts"
import { openScratch, type Scratch } from "../support/Scratch.ts"
import { anyNodeOf, type Cluster } from "./ClusterFaults.ts"
import type { Group } from "./ProcessOptions.ts"
import { type Entry, type Line, now } from "./Journal.ts"
import { addUser } from "./Operating.ts"
import { makeWorker, type Worker, type WorkerOptions } from "./Worker.ts"

/** A fault of processes or brokers, and how long it lasted. */
export interface Window {
  readonly kind: string
  /** The processes that could notice it; all when empty. */
  readonly targets: ReadonlyArray<string>
  readonly from: number
  readonly to: number
}

/** The brokers, which several runs may share one after the other. */
export interface Brokers extends AsyncDisposable {
  /** The only node, or whichever of a cluster is up. */
  readonly node: RabbitNode
  readonly cluster?: Cluster
  readonly redis: RedisNode
  readonly scratch: Scratch
}

/** Whichever of them is the master: their clocks are stepped together. */
const together = ({ master, replica }: RedisSentinels): RedisNode => ({
  ...master,
  ...(master.setClock !== undefined && {
    setClock: (millis: number) => [master, replica].forEach((node) => node.setClock?.(millis))
  })
})

/** With a size above 1: a cluster of nodes, and a Redis that Sentinel watches. */
export const openBrokers = async (size = 1): Promise<Brokers> => {
  const scratch = openScratch("chaos")
  // What a node moves from queue to queue while it stops may have to be moved again, which it does after 180 s: within
  // the ladder an event would be late by so much, which is no loss, but longer than a run waits.
  const settings = { dead_letter_worker_publisher_confirm_timeout: 5000 }
  if (size > 1) {
    const [nodes, sentinels] = await Promise.all([
      startCluster(size, { settings }),
      startSentinels({ isStepped: true })
    ])
    const cluster = { ...nodes, sentinels, harmed: new Set<number>() }
    return {
      node: anyNodeOf(cluster),
      cluster,
      redis: together(sentinels),
      scratch,
      [Symbol.asyncDispose]: async () => {
        await scratch.close()
        await Promise.all([cluster.stop(), sentinels.stop()])
      }
    }
  }
  const [node, redis] = await Promise.all([startRabbit({ settings }), startRedis({ isStepped: true })])
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

export interface Deployment extends Brokers {
  readonly namespace: string
  readonly seed: number
  readonly workers: ReadonlyArray<Worker>
  readonly groups: ReadonlyArray<Group>
  /** A group that its processes begin with later. */
  readonly adopt: (group: Group) => void
  readonly add: (options: WorkerOptions) => Promise<Worker>
  readonly worker: (name: string) => Worker
  /** All lines of all journals until now. */
  readonly read: () => ReadonlyArray<Entry>
  /** Adds a line of the run itself. */
  readonly note: (line: Line) => void
  readonly windows: Array<Window>
  /** Runs a fault and records when it began and ended. */
  readonly during: (kind: string, targets: ReadonlyArray<string>, act: () => Promise<void>) => Promise<void>
  /** Asks the broker, past all proxies. */
  readonly observe: <A>(look: (channel: Channel) => Promise<A>) => Promise<A>
  readonly ready: (queue: string) => Promise<number>
  /** Copies the journals to a folder that stays. */
  readonly keep: (folder: string) => void
}

export const openDeployment = (brokers: Brokers, namespace: string, seed: number): Deployment => {
  const { cluster, node, redis, scratch } = brokers
  const redisUrl =
    cluster === undefined
      ? `redis://127.0.0.1:${redis.port}`
      : `redis+sentinel://${cluster.sentinels.hosts}/${cluster.sentinels.name}`
  const ports = { amqp: cluster?.nodes.map(({ port }) => port) ?? [node.port], redisUrl }
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
    adopt: (group) => void (groups.some(({ name }) => name === group.name) || groups.push(group)),
    add: async (options) => {
      const worker = await makeWorker(scratch, ports, namespace, {
        ...options,
        ...(cluster !== undefined && { reportsHealth: true })
      })
      workers.push(worker)
      await addUser(node, worker.user)
      if (options.role === "subscriber")
        for (const group of options.groups) if (!groups.some(({ name }) => name === group.name)) groups.push(group)
      await worker.start()
      return worker
    },
    worker: (name) => {
      const found = workers.find((worker) => worker.name === name)
      if (found === undefined) throw new Error(`there is no process ${name}`)
      return found
    },
    read: () => {
      for (const { reader } of workers) entries.push(...reader.read())
      return entries
    },
    note: (line) => void entries.push({ ...line, at: now(), who: "run", life: 1 }),
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

/** Polls until the condition holds. */
export const until = async (
  what: string,
  condition: () => Promise<boolean> | boolean,
  millis = 180_000
): Promise<void> => {
  const end = now() + millis
  while (!(await condition())) {
    if (now() > end) throw new Error(`not within ${millis / 1000} seconds: ${what}`)
    await delay(50)
  }
}

/** Waits until each of these is ready in its present life. */
export const allReady = (deployment: Deployment, workers: ReadonlyArray<Worker> = deployment.workers): Promise<void> =>
  until("every process is ready", () => {
    const entries = deployment.read()
    return workers.every(({ deaths, isAlive, name }) => {
      if (!isAlive()) throw new Error(`${name} ended while it started: ${deployment.worker(name).noise()}`)
      return entries.some(({ life, t, who }) => t === "ready" && who === name && life === deaths.length + 1)
    })
  })

/**
 * The same while brokers may be down: a service that cannot reach its broker fails to start, by design, and is
 * started again, as an orchestrator does.
 */
export const bringUp = (deployment: Deployment, workers: ReadonlyArray<Worker>): Promise<void> =>
  until("every process is back", async () => {
    for (const worker of workers) await worker.start()
    const entries = deployment.read()
    return workers.every(({ deaths, name }) =>
      entries.some(({ life, t, who }) => t === "ready" && who === name && life === deaths.length + 1)
    )
  })
