/**
 * What a process did, line by line, in its own file. A line is one synchronous write, so it survives the
 * process. Times are from the machine's monotonic clock, which all processes share.
 */
import { closeSync, openSync, readFileSync, readSync, writeSync } from "node:fs"
import type { Kind } from "./Events.ts"
import type { Flow } from "./ProcessOptions.ts"

export type Outcome = "Confirmed" | "Known" | "Unroutable" | "Rejected" | "Invalid" | "Unknown" | (string & {})

export type Line =
  /** A process begins. */
  | { readonly t: "life"; readonly pid: number; readonly header: Readonly<Record<string, unknown>> }
  | { readonly t: "ready" }
  /** `id` is here and below the name of an event, which is its source and id. `ms` and `pad` are what its data has. */
  | {
      readonly t: "intent"
      readonly id: string
      readonly key: string
      readonly seq: number
      readonly kind: Kind
      /** Default `"step"`. */
      readonly flow?: Flow
      readonly ms?: number
      readonly pad?: number
    }
  /** It is published once more, with the same id; its intent stands for the first time. */
  | { readonly t: "again"; readonly id: string }
  /** `ms` since the attempt began. Known: its outbox has a record that it was confirmed before. */
  | {
      readonly t: "outcome"
      readonly id: string
      readonly outcome: Outcome
      readonly ms: number
      readonly detail?: string
    }
  /** The hash of a poison event as it was sent. */
  | { readonly t: "wire"; readonly id: string; readonly sha: string }
  | { readonly t: "finished" }
  | {
      readonly t: "start"
      readonly id: string
      readonly g: string
      readonly key: string
      readonly seq: number
      readonly attempt: number
      readonly redelivered: boolean
    }
  /** How a handler ended: it succeeded, failed, or was interrupted. */
  | {
      readonly t: "done" | "fail" | "stop"
      readonly id: string
      readonly g: string
      readonly key: string
      readonly seq: number
    }
  /** A handler is about to end its process. */
  | { readonly t: "killer"; readonly id: string; readonly g: string }
  /** An operator saw this many dead letters. */
  | { readonly t: "look"; readonly g: string; readonly letters: number }
  | { readonly t: "armed"; readonly failpoint: string }
  /** Its wall clock is this far from the true one now. */
  | { readonly t: "clock"; readonly millis: number }
  | { readonly t: "failpoint"; readonly failpoint: string }
  | { readonly t: "term" }
  | { readonly t: "exit"; readonly code: number }
  /** The broker ended a connection with consumers of events. */
  | { readonly t: "closed"; readonly detail: string }
  /** What the health of the process says; `detail` names the checks that are not up. */
  | { readonly t: "health"; readonly status: "up" | "degraded" | "down"; readonly detail: string }
  | { readonly t: "vitals"; readonly rss: number; readonly heap: number; readonly fds: number }
  | {
      readonly t: "log"
      readonly level: string
      readonly message: string
      readonly fields: Readonly<Record<string, unknown>>
    }

/** A line with its time, its process, and which life of the process wrote it (from 1 up). */
export type Entry = Line & { readonly at: number; readonly who: string; readonly life: number }
export type Of<T extends Line["t"]> = Extract<Entry, { readonly t: T }>

export const now = (): number => Math.round(Number(process.hrtime.bigint()) / 1e3) / 1e3

export type Write = (line: Line) => void

export const openJournal = (file: string): Write => {
  const fd = openSync(file, "a")
  return (line) => void writeSync(fd, `${JSON.stringify({ ...line, at: now() })}\n`)
}

/** Follows the journal of one process through its lives. */
export interface Reader {
  /** What was written since the last call. */
  readonly read: () => ReadonlyArray<Entry>
}

export const openReader = (file: string, who: string): Reader => {
  let offset = 0
  let rest = ""
  let life = 0
  const chunk = Buffer.alloc(1 << 20)
  return {
    read: () => {
      const entries: Array<Entry> = []
      const fd = openSync(file, "a+")
      try {
        for (;;) {
          const bytes = readSync(fd, chunk, 0, chunk.length, offset)
          if (bytes === 0) break
          offset += bytes
          const lines = (rest + chunk.toString("latin1", 0, bytes)).split("\n")
          rest = lines.pop() ?? ""
          for (const text of lines) {
            // Written by `openJournal` above; latin1 keeps the bytes of a character that is cut in two.
            const line = JSON.parse(Buffer.from(text, "latin1").toString()) as Line & { readonly at: number }
            if (line.t === "life") life++
            entries.push({ ...line, who, life })
          }
        }
      } finally {
        closeSync(fd)
      }
      return entries
    }
  }
}

/** What earlier lives of this process wrote. */
export const past = (file: string): ReadonlyArray<Entry> => {
  try {
    readFileSync(file)
  } catch {
    return []
  }
  return openReader(file, "").read()
}
