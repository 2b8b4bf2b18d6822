/**
 * The lines that the runtime writes. Each says what happened to one event or one part, with ids and
 * names as annotations and never with data (P14). A publish is a debug line, a failed attempt a
 * warning, a dead letter an error.
 *
 * Lines are written from callbacks as well as from fibers, hence a plain function per line; the
 * debug ones cost nothing when the level is off, decided once.
 */
import { Context, Effect, LogLevel, References } from "effect"

export type Fields = Readonly<Record<string, string | number | boolean | undefined>>

export interface Log {
  readonly debugEnabled: boolean
  readonly debug: (message: string, fields: Fields) => void
  readonly info: (message: string, fields: Fields) => void
  readonly warning: (message: string, fields: Fields) => void
  readonly error: (message: string, fields: Fields) => void
}

export const make = (context: Context.Context<never>): Log => {
  const run = Effect.runForkWith(context)
  const line =
    (level: "Debug" | "Info" | "Warn" | "Error") =>
    (message: string, fields: Fields): void => {
      run(Effect.logWithLevel(level)(message).pipe(Effect.annotateLogs(present(fields))))
    }
  return {
    debugEnabled: LogLevel.isGreaterThanOrEqualTo("Debug", Context.get(context, References.MinimumLogLevel)),
    debug: line("Debug"),
    info: line("Info"),
    warning: line("Warn"),
    error: line("Error")
  }
}

const present = (fields: Fields): Record<string, string | number | boolean> => {
  const shown: Record<string, string | number | boolean> = {}
  for (const [key, value] of Object.entries(fields)) if (value !== undefined) shown[key] = value
  return shown
}
