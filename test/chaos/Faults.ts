/** The faults: each is injected, lasts, and is undone. The plan has chosen its target before. */
import { setTimeout as delay } from "node:timers/promises"
import { failpoints, type Failpoint } from "./ProcessOptions.ts"
import { type Deploy, deploy } from "./Deploys.ts"
import { clusterFaults, injectInCluster, isOfCluster } from "./ClusterFaults.ts"
import { bringUp, type Deployment } from "./Deployment.ts"
import { type Killers, strike } from "./Killers.ts"
import { clearLimit, giveBack, setLimit, take } from "./Operating.ts"
import type { Worker } from "./Worker.ts"

export const networkFaults = [
  "rst-one",
  "rst-all",
  "stall-one",
  "stall-down-rst",
  "half-open",
  "fin",
  "slice",
  "throttle"
] as const
export const brokerFaults = [
  "close-all",
  "stop-app",
  "kill-node",
  "freeze-node",
  "memory-alarm",
  "disk-alarm",
  "delete-queue",
  "delivery-limit"
] as const
export const processFaults = ["kill-publisher", "kill-subscriber", "rolling-restart", "killers", "deploy"] as const
/** A user loses a right and has it back: to publish an event, to publish any, to send copies. */
export const rightsFaults = ["take-topic", "take-write", "take-copies"] as const
/** The wall clock of a process goes wrong by an hour, and right again. */
export const clockFaults = ["clock-publisher", "clock-subscriber"] as const
export const redisFaults = [
  "redis-kill",
  "redis-freeze",
  "redis-readonly",
  "redis-oom",
  "redis-flush",
  "redis-clock"
] as const
export const faultKinds = [
  ...networkFaults,
  ...brokerFaults,
  ...processFaults,
  ...rightsFaults,
  ...clockFaults,
  ...redisFaults,
  ...clusterFaults
] as const
export type FaultKind = (typeof faultKinds)[number]

/** One fault as it is planned; the plan depends on the seed alone. */
export interface Fault {
  readonly kind: FaultKind
  /** Names of processes; empty for a fault of a broker. */
  readonly targets: ReadonlyArray<string>
  readonly millis: number
  /** The point at which a process kills itself; absent for a plain SIGKILL. */
  readonly failpoint?: Failpoint
  readonly killers?: Killers
  readonly deploy?: Deploy
  /** The node of a cluster that is hit. */
  readonly at?: number
  /** How far a wall clock is set, milliseconds. */
  readonly step?: number
}

const keepsConnections = new Set([
  "slice",
  "memory-alarm",
  "disk-alarm",
  "rolling-restart",
  "deploy",
  "delete-queue",
  "delivery-limit",
  "leaders-move",
  "node-alarm",
  "consumer-timeout"
])

/** Whether the fault may cut connections to RabbitMQ, other than by a process that ends in good order. */
export const losesConnections = (kind: string): boolean =>
  !keepsConnections.has(kind) && !isClock(kind) && !isRedis(kind)

export const isRights = (kind: string): boolean => rightsFaults.some((other) => other === kind)
export const isClock = (kind: string): boolean => clockFaults.some((other) => other === kind)
export const isRedis = (kind: string): boolean => kind.startsWith("redis-")
/** Whether done marks may be lost or cannot be written. */
export const spoilsMarks = isRedis

export const failpointsOf = (kind: FaultKind): ReadonlyArray<Failpoint> =>
  kind === "kill-publisher" ? failpoints.publisher : failpoints.subscriber

/** Injects a fault, waits, and undoes it. */
export const inject = async (deployment: Deployment, fault: Fault): Promise<void> => {
  const { at = 0, failpoint, kind, killers, millis, step = 0, targets } = fault
  const { namespace, node, redis } = deployment
  const workers = targets.map(deployment.worker)
  const proxies = workers.map(({ amqp }) => amqp)
  const act = async (): Promise<void> => {
    if (isOfCluster(kind)) {
      if (deployment.cluster === undefined) throw new Error(`${kind} is a fault of a cluster: --cluster 3`)
      return injectInCluster(deployment.cluster, { kind, namespace, at, millis })
    }
    switch (kind) {
      case "rst-one":
      case "rst-all":
        return proxies.forEach((proxy) => proxy.reset())
      case "fin":
        return proxies.forEach((proxy) => proxy.finish())
      case "stall-one":
        proxies.forEach((proxy) => proxy.stall("both"))
        await delay(millis)
        return proxies.forEach((proxy) => proxy.resume())
      case "stall-down-rst":
        // Confirms and deliveries are on their way and never arrive.
        proxies.forEach((proxy) => proxy.stall("down"))
        await delay(millis)
        return proxies.forEach((proxy) => {
          proxy.reset()
          proxy.resume()
        })
      case "half-open":
        proxies.forEach((proxy) => proxy.swallow())
        await delay(millis)
        return proxies.forEach((proxy) => proxy.resume())
      case "slice":
        proxies.forEach((proxy) => proxy.slice(3))
        await delay(millis)
        return proxies.forEach((proxy) => proxy.resume())
      case "throttle":
        proxies.forEach((proxy) => proxy.throttle(20_000))
        await delay(millis)
        return proxies.forEach((proxy) => proxy.resume())
      case "close-all":
        return void (await node.ctl("close_all_connections", "chaos"))
      case "stop-app":
        await node.flush()
        await node.stopApp()
        await delay(millis)
        return node.startApp()
      case "kill-node":
        await node.flush()
        await node.kill()
        await delay(millis)
        return node.restart()
      case "freeze-node":
        await node.suspend()
        await delay(millis)
        return node.resume()
      case "memory-alarm":
        await node.ctl("set_vm_memory_high_watermark", "0.0001")
        await delay(millis)
        return void (await node.ctl("set_vm_memory_high_watermark", "absolute", "1GB"))
      case "disk-alarm":
        await node.ctl("set_disk_free_limit", "5000GB")
        await delay(millis)
        return void (await node.ctl("set_disk_free_limit", "20MB"))
      case "delete-queue":
        return deleteQueue(deployment)
      case "delivery-limit":
        await setLimit(node, namespace)
        await bringUp(deployment, workers)
        await delay(millis)
        for (const worker of workers) await worker.terminate()
        return clearLimit(node)
      case "take-topic":
      case "take-write":
      case "take-copies":
        for (const { user } of workers) await take(node, user, kind, namespace)
        await delay(millis)
        for (const { user } of workers) await giveBack(node, user, namespace)
        return
      case "kill-publisher":
      case "kill-subscriber":
        for (const worker of workers) {
          if (failpoint === undefined) await worker.kill()
          else await worker.killAt(failpoint, 30_000)
        }
        await delay(millis)
        return bringUp(deployment, workers)
      case "rolling-restart":
        for (const worker of workers) await restart(deployment, worker)
        return
      case "killers":
        return killers === undefined ? undefined : await strike(deployment, workers, killers)
      case "deploy":
        return fault.deploy === undefined ? undefined : await deploy(deployment, workers, fault.deploy)
      case "clock-publisher":
      case "clock-subscriber":
        for (const worker of workers) worker.setClock(step)
        await delay(millis)
        return workers.forEach((worker) => worker.setClock(0))
      case "redis-clock":
        redis.setClock?.(step)
        await delay(millis)
        return redis.setClock?.(0)
      case "redis-kill":
        await redis.kill()
        await delay(millis)
        return redis.restart()
      case "redis-freeze":
        await redis.suspend()
        await delay(millis)
        return redis.resume()
      case "redis-readonly":
        await redis.cli("replicaof", "127.0.0.1", "1")
        await delay(millis)
        return void (await redis.cli("replicaof", "no", "one"))
      case "redis-oom":
        await redis.cli("config", "set", "maxmemory", "1")
        await delay(millis)
        return void (await redis.cli("config", "set", "maxmemory", "0"))
      case "redis-flush":
        return void (await redis.cli("flushall"))
    }
  }
  if (kind === "delete-queue") await node.flush()
  await deployment.during(kind, targets, act)
  // A queue that was declared again is like a new one: see `RabbitNode.flush`.
  if (kind === "delete-queue") await node.flush()
  function deleteQueue({ observe }: Deployment): Promise<void> {
    return observe(async (channel) => void (await channel.deleteQueue(`${namespace}.sub.${sacrifice}`)))
  }
}

/** The subscriber whose queue is deleted: what was in it is not promised, but it must go on. */
export const sacrifice = "chaos.sacrifice"

const restart = async (deployment: Deployment, worker: Worker): Promise<void> => {
  await worker.terminate()
  await bringUp(deployment, [worker])
}
