/** A process of a run, over all its lives: started, killed, asked to stop, started again. */
import { readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as delay } from "node:timers/promises"
import { type Proxy, startProxy } from "../support/Proxy.ts"
import type { Scratch, Task } from "../support/Scratch.ts"
import type { Failpoint, ProcessOptions } from "./Contract.ts"
import { now, openReader, type Reader } from "./Ledger.ts"

export interface Ports {
  readonly amqp: number
  readonly redis: number
}

/** The end of a life. */
export interface Death {
  readonly who: string
  readonly life: number
  readonly at: number
  /** `by itself` is what nobody asked for. */
  readonly how: "SIGKILL" | "failpoint" | "SIGTERM" | "by itself"
  readonly code: string
  /** From the signal to the end. */
  readonly ms: number
}

export interface Worker {
  readonly name: string
  readonly role: ProcessOptions["role"]
  readonly amqp: Proxy
  readonly redis: Proxy
  readonly deaths: ReadonlyArray<Death>
  readonly isAlive: () => boolean
  readonly start: () => Promise<void>
  readonly kill: () => Promise<void>
  /** SIGTERM; how it ended. */
  readonly terminate: () => Promise<Death>
  /** Kills itself at this point; false when it did not come there in time. */
  readonly killAt: (failpoint: Failpoint, millis: number) => Promise<boolean>
  readonly signal: (signal: NodeJS.Signals) => void
  readonly reader: Reader
  /** What it wrote to stdout and stderr: nothing, if all is well. */
  readonly noise: () => string
  readonly close: () => Promise<void>
}

/** What the process cannot choose itself. */
type Given = "url" | "redisUrl" | "ledger" | "arm"
export type WorkerOptions = ProcessOptions extends infer O ? (O extends ProcessOptions ? Omit<O, Given> : never) : never

/** What a service may take to end, in milliseconds. */
export const terminationMillis = 28_000

export const makeWorker = async (
  scratch: Scratch,
  ports: Ports,
  label: string,
  options: WorkerOptions
): Promise<Worker> => {
  const { name, role } = options
  const amqp = await startProxy(ports.amqp)
  const redis = await startProxy(ports.redis)
  const file = (kind: string): string => join(scratch.dir, `${label}.${name}.${kind}`)
  const log = `${label}.${name}.log`
  const given = {
    ...options,
    url: `amqp://guest:guest@127.0.0.1:${amqp.port}`,
    redisUrl: `redis://127.0.0.1:${redis.port}`,
    ledger: file("ndjson"),
    arm: file("arm")
  }
  const deaths: Array<Death> = []
  let task: Task | undefined
  let life = 0
  const died = (how: Death["how"], since: number): Death => {
    const death = { who: name, life, at: now(), how, code: task?.ended() ?? "?", ms: now() - since }
    deaths.push(death)
    task = undefined
    return death
  }
  const buried = (): void => {
    if (task?.ended() !== undefined) died("by itself", now())
  }
  const isAlive = (): boolean => {
    buried()
    return task !== undefined
  }
  const kill = async (): Promise<void> => {
    if (!isAlive()) return
    const since = now()
    await task?.kill()
    died("SIGKILL", since)
  }
  return {
    name,
    role,
    amqp,
    redis,
    deaths,
    isAlive,
    kill,
    signal: (signal) => task?.signal(signal),
    start: async () => {
      if (isAlive()) return
      life++
      rmSync(given.arm, { force: true })
      task = await scratch.start({
        command: process.execPath,
        args: ["--expose-gc", join(import.meta.dirname, `${role}.ts`), JSON.stringify(given)],
        env: { ...process.env, NODE_COMPILE_CACHE: join(tmpdir(), "eventbus-compile-cache") },
        log
      })
    },
    terminate: async () => {
      if (!isAlive()) return died("by itself", now())
      const since = now()
      task?.signal("SIGTERM")
      while (task?.ended() === undefined && now() - since < terminationMillis + 4000) await delay(10)
      if (task?.ended() === undefined) await task?.kill()
      return died("SIGTERM", since)
    },
    killAt: async (failpoint, millis) => {
      if (!isAlive()) return false
      const since = now()
      writeFileSync(given.arm, failpoint)
      task?.signal("SIGUSR2")
      while (task?.ended() === undefined && now() - since < millis) await delay(10)
      if (task?.ended() === undefined) {
        await kill()
        return false
      }
      died("failpoint", since)
      return true
    },
    reader: openReader(given.ledger, name),
    noise: () => {
      try {
        return readFileSync(join(scratch.dir, log), "utf8")
      } catch {
        return ""
      }
    },
    close: async () => {
      await task?.kill()
      await amqp.close()
      await redis.close()
    }
  }
}
