/** One entry of the log as plain data, and the names of its levels. */
import type * as LogLevel from "effect/LogLevel"

/** From the finest on. */
export const levels = ["trace", "debug", "info", "warn", "error", "fatal"] as const

export type EntryLevel = (typeof levels)[number]

/** One entry of the log. */
export interface LogEntry {
  readonly time: Date
  readonly level: EntryLevel
  readonly message: string
  /** What it is about: names, ids and figures, never the data of an event. Secrets are removed. */
  readonly fields: Readonly<Record<string, unknown>>
  /** The errors behind it with their stacks, as text. */
  readonly cause?: string
  /** The trace that it belongs to. */
  readonly traceId?: string
  readonly spanId?: string
}

/** The names of Effect. */
export const effectLevels: Readonly<Record<EntryLevel, LogLevel.LogLevel>> = {
  trace: "Trace",
  debug: "Debug",
  info: "Info",
  warn: "Warn",
  error: "Error",
  fatal: "Fatal"
}

/** What is logged has one of these. The levels that switch a log on and off are none of an entry. */
export const levelOf = (level: LogLevel.LogLevel): EntryLevel =>
  levels.find((name) => effectLevels[name] === level) ?? "info"

/**
 * Where entries go: to the console as lines of JSON or as lines for people, nowhere, or to a function. What the function
 * throws, or rejects with, is reported once as a warning of the process and does not concern the bus.
 */
export type LogTarget = "json" | "pretty" | "none" | ((entry: LogEntry) => unknown)
