/** A process of a run, over all its lives: started, killed, asked to stop, started again. */
import { readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as delay } from "node:timers/promises"
import { programOf } from "../support/Program.ts"
import type { Scratch, Task } from "../support/Scratch.ts"
import type { Failpoint, ProcessOptions } from "./ProcessOptions.ts"
import type { Release } from "./Releases.ts"
import { now, openReader, type Reader } from "./Journal.ts"
import { type Proxies, startProxies } from "./Proxies.ts"

export interface Ports {
  /** One for each node. */
  readonly amqp: ReadonlyArray<number>
  readonly redisUrl: string
}

/** The end of a life. */
export interface Death {
  readonly who: string
  readonly life: number
  readonly at: number
  /** `killer`: an event did. `by itself`: no event, no fault and no signal of the run ended it. */
  readonly how: "SIGKILL" | "failpoint" | "SIGTERM" | "killer" | "by itself"
  readonly code: string
  /** From the signal to the end. */
  readonly ms: number
}

export interface Worker {
  readonly name: string
  readonly role: ProcessOptions["role"]
  /** On the broker. */
  readonly user: string
  readonly amqp: Proxies
  readonly deaths: ReadonlyArray<Death>
  readonly isAlive: () => boolean
  /** The code of a subscriber, and what its next life is to have. */
  readonly release: () => Release | undefined
  readonly deploy: (release: Release) => void
  readonly start: () => Promise<void>
  readonly kill: () => Promise<void>
  /** Sends SIGTERM; resolves with how it ended. */
  readonly terminate: () => Promise<Death>
  /** Has it kill itself at this point; false when it did not get there in time. */
  readonly killAt: (failpoint: Failpoint, millis: number) => Promise<boolean>
  /** Sets its wall clock this far from the true one; a later life begins with the true one. */
  readonly setClock: (millis: number) => void
  readonly signal: (signal: NodeJS.Signals) => void
  readonly reader: Reader
  /** Its stdout and stderr: empty if all is well. */
  readonly noise: () => string
  readonly close: () => Promise<void>
}

/** Options that the run fills in. */
type Given = "url" | "redisUrl" | "journal" | "arm"
export type WorkerOptions = ProcessOptions extends infer O ? (O extends ProcessOptions ? Omit<O, Given> : never) : never

/** How long a service may take to end, in milliseconds. */
export const terminationMillis = 28_000

const programs: { [role in ProcessOptions["role"]]?: Promise<string> } = {}

export const makeWorker = async (
  scratch: Scratch,
  ports: Ports,
  label: string,
  options: WorkerOptions
): Promise<Worker> => {
  const { name, role } = options
  const amqp = await startProxies(ports.amqp)
  const file = (kind: string): string => join(scratch.dir, `${label}.${name}.${kind}`)
  const log = `${label}.${name}.log`
  const program = (programs[role] ??= programOf(`test/chaos/${role}.ts`))
  const user = `${label}-${name}`
  const given = {
    ...options,
    url: amqp.ports.map((port) => `amqp://${user}:${user}@127.0.0.1:${port}`).join(","),
    redisUrl: ports.redisUrl,
    journal: file("ndjson"),
    arm: file("arm")
  }
  const deaths: Array<Death> = []
  let task: Task | undefined
  let life = 0
  let release = options.role === "subscriber" ? options.release : undefined
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
    user,
    amqp,
    deaths,
    isAlive,
    release: () => release,
    deploy: (next) => void (release = next),
    kill,
    setClock: (millis) => {
      if (!isAlive()) return
      writeFileSync(given.arm, `clock ${millis}`)
      task?.signal("SIGUSR2")
    },
    signal: (signal) => task?.signal(signal),
    start: async () => {
      if (isAlive()) return
      life++
      rmSync(given.arm, { force: true })
      task = await scratch.start({
        command: process.execPath,
        args: ["--expose-gc", await program, JSON.stringify({ ...given, ...(release !== undefined && { release }) })],
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
    reader: openReader(given.journal, name),
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
    }
  }
}
