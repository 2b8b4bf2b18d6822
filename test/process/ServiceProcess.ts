/** Services as processes: started, read line by line, and always ended with their test. */
import { spawn } from "node:child_process"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { programOf } from "../support/Program.ts"
import type { Line, ServiceOptions } from "./Orders.ts"

/** Milliseconds to wait for a line: generous, since the machine may be busy. */
const patience = 180_000

export interface Ending {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface Service extends AsyncDisposable {
  readonly lines: ReadonlyArray<Line>
  readonly of: (type: Line["type"]) => ReadonlyArray<Line>
  /** Waits for this many lines of this type, and returns the last of them. */
  readonly waitFor: (type: Line["type"], count?: number, which?: (line: Line) => boolean) => Promise<Line>
  /** Lets an order go on that waits for it. */
  readonly release: () => void
  /** SIGTERM. */
  readonly terminate: () => void
  /** SIGKILL. */
  readonly kill: () => void
  /** How it ended; it is killed after an unreasonable time. */
  readonly ended: Promise<Ending>
  readonly isRunning: () => boolean
  /** For the message of an assertion. */
  readonly output: () => string
}

const program = await programOf("test/process/service.ts")

export const startService = (options: ServiceOptions): Service => {
  const child = spawn(process.execPath, [program, JSON.stringify(options)], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, NODE_COMPILE_CACHE: join(tmpdir(), "eventbus-compile-cache") }
  })
  const lines: Array<Line> = []
  const waiting = new Set<() => void>()
  const check = (): void => waiting.forEach((f) => f())
  let errors = ""
  let over = false
  child.stderr.on("data", (text: Buffer) => (errors += text.toString()))
  createInterface({ input: child.stdout }).on("line", (text) => {
    // It writes nothing else. Half a line, of a process that was killed, is no line.
    try {
      lines.push(JSON.parse(text) as Line)
    } catch {
      errors += `${text}\n`
    }
    check()
  })
  // `close` comes after the ends of its pipes: every line has been read.
  const ended = new Promise<Ending>((resolve) => {
    child.once("close", (code, signal) => {
      over = true
      clearTimeout(limit)
      resolve({ code, signal })
      check()
    })
  })
  const limit = setTimeout(() => child.kill("SIGKILL"), 2 * patience)
  const of = (type: Line["type"]): ReadonlyArray<Line> => lines.filter((line) => line.type === type)
  const output = (): string => `${lines.map((line) => JSON.stringify(line)).join("\n")}\n${errors}`
  return {
    lines,
    of,
    output,
    waitFor: (type, count = 1, which = () => true) =>
      new Promise((resolve, reject) => {
        const done = (f: () => void): void => {
          waiting.delete(seek)
          clearTimeout(timer)
          f()
        }
        const seek = (): void => {
          const found = of(type).filter(which)[count - 1]
          if (found !== undefined) done(() => resolve(found))
          else if (over) done(() => reject(new Error(`ended before it wrote "${type}" ${count} times:\n${output()}`)))
        }
        const timer = setTimeout(
          () => done(() => reject(new Error(`did not write "${type}" ${count} times:\n${output()}`))),
          patience
        )
        waiting.add(seek)
        seek()
      }),
    release: () => void child.kill("SIGUSR2"),
    terminate: () => void child.kill("SIGTERM"),
    kill: () => void child.kill("SIGKILL"),
    ended,
    isRunning: () => !over,
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL")
      await ended
    }
  }
}

/** Keeps this many services alive, as an orchestrator does. */
export const keepAlive = (start: () => Service, replicas: number) => {
  const lives: Array<Service> = []
  let over = false
  const keep = async (): Promise<void> => {
    while (!over) {
      const service = start()
      lives.push(service)
      await service.ended
    }
  }
  const kept = Promise.all(Array.from({ length: replicas }, keep))
  return {
    /** In the order of their starts. */
    lives,
    stop: async (): Promise<void> => {
      over = true
      for (const service of lives) service.terminate()
      await kept
    }
  }
}
