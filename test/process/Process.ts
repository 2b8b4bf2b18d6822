/** Starts services as processes, reads what they write, and sees to it that none stays. */
import { spawn } from "node:child_process"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import type { Line, ServiceOptions } from "./Contract.ts"

/** Far longer than anything that is waited for. */
const patience = 25_000

export interface Ending {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface Service extends AsyncDisposable {
  readonly lines: ReadonlyArray<Line>
  readonly of: (say: Line["say"]) => ReadonlyArray<Line>
  /** Waits until it has said so many lines of this kind. */
  readonly says: (say: Line["say"], count?: number, which?: (line: Line) => boolean) => Promise<Line>
  /** SIGTERM. */
  readonly terminate: () => void
  /** SIGKILL. */
  readonly kill: () => void
  /** How it ended by itself; SIGKILL after an unreasonable time. */
  readonly ended: Promise<Ending>
  readonly isRunning: () => boolean
  /** For the message of an assertion. */
  readonly told: () => string
}

export const startService = (options: ServiceOptions): Service => run("service.ts", JSON.stringify(options))

/** Any program of this folder that writes lines. */
export const run = (program: string, ...args: ReadonlyArray<string>): Service => {
  const child = spawn(process.execPath, [join(import.meta.dirname, program), ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, NODE_COMPILE_CACHE: join(tmpdir(), "eventbus-compile-cache") }
  })
  const lines: Array<Line> = []
  const waiting = new Set<() => void>()
  const look = (): void => waiting.forEach((f) => f())
  let errors = ""
  let over = false
  child.stderr.on("data", (text: Buffer) => (errors += text.toString()))
  createInterface({ input: child.stdout }).on("line", (text) => {
    // It writes nothing else; half a line, of a process that was killed, is none.
    try {
      lines.push(JSON.parse(text) as Line)
    } catch {
      errors += `${text}\n`
    }
    look()
  })
  // Its pipes are read to their ends before.
  const ended = new Promise<Ending>((resolve) => {
    child.once("close", (code, signal) => {
      over = true
      clearTimeout(limit)
      resolve({ code, signal })
      look()
    })
  })
  const limit = setTimeout(() => child.kill("SIGKILL"), 4 * patience)
  const of = (say: Line["say"]): ReadonlyArray<Line> => lines.filter((line) => line.say === say)
  const told = (): string => `${lines.map((line) => JSON.stringify(line)).join("\n")}\n${errors}`
  return {
    lines,
    of,
    told,
    says: (say, count = 1, which = () => true) =>
      new Promise((resolve, reject) => {
        const done = (f: () => void): void => {
          waiting.delete(check)
          clearTimeout(timer)
          f()
        }
        const check = (): void => {
          const found = of(say).filter(which)[count - 1]
          if (found !== undefined) done(() => resolve(found))
          else if (over) done(() => reject(new Error(`ended before it said "${say}" ${count} times:\n${told()}`)))
        }
        const timer = setTimeout(
          () => done(() => reject(new Error(`did not say "${say}" ${count} times:\n${told()}`))),
          patience
        )
        waiting.add(check)
        check()
      }),
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
