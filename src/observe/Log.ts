/**
 * The lines that the runtime writes. Each says what happened to one event or one part, with ids and
 * names as annotations and never with data (P14). A publish is a debug line, a failed attempt a
 * warning, a dead letter an error; each belongs to the trace of its event. A storm of the same warning or
 * error is summed up.
 *
 * Lines are written from callbacks as well as from fibers, hence a plain function per line; the
 * debug ones cost nothing when the level is off, decided once.
 */
import { Context, Effect, LogLevel, References, Tracer } from "effect"
import * as Storm from "./Storm.ts"

/** `span` is the span that the line belongs to, and no field. */
export interface Fields {
  readonly [name: string]: string | number | boolean | Tracer.AnySpan | undefined
  readonly span?: Tracer.AnySpan | undefined
}

export interface Log {
  readonly debugEnabled: boolean
  readonly debug: (message: string, fields: Fields) => void
  readonly info: (message: string, fields: Fields) => void
  readonly warning: (message: string, fields: Fields) => void
  readonly error: (message: string, fields: Fields) => void
}

/** Lives as long as the current scope; at its end a storm that is under way is summed up. */
export const make = Effect.gen(function* () {
  const context = yield* Effect.context<never>()
  const storm = Storm.make(context)
  yield* Effect.addFinalizer(() => Effect.sync(storm.flush))
  return over(context, storm)
})

const over = (context: Context.Context<never>, storm: Storm.Storm): Log => {
  const run = Effect.runForkWith(context)
  const line =
    (level: "Debug" | "Info" | "Warn" | "Error") =>
    (message: string, { span, ...fields }: Fields): void => {
      const write = Effect.annotateLogs(Effect.logWithLevel(level)(message), present(fields))
      run(span === undefined ? write : Effect.provideService(write, Tracer.ParentSpan, span))
    }
  const bounded = (level: "Warn" | "Error") => {
    const write = line(level)
    return (message: string, fields: Fields): void => {
      const sumUp = (more: number, seconds: number): void =>
        write(`${message} (and ${more.toLocaleString("en")} more in ${seconds} s)`, {
          ...meant(fields),
          suppressed: more
        })
      if (storm.admits(meaning(message, fields), sumUp)) write(message, fields)
    }
  }
  return {
    debugEnabled: LogLevel.isGreaterThanOrEqualTo("Debug", Context.get(context, References.MinimumLogLevel)),
    debug: line("Debug"),
    info: line("Info"),
    warning: bounded("Warn"),
    error: bounded("Error")
  }
}

/** What tells one failure from another: where it is and what it is, not which event it met. */
const meanings: ReadonlyArray<string> = ["subscriber", "event", "error", "reason", "to"]
/** As a text, and no JSON: most lines of a storm are not written, and cost this alone. */
const meaning = (message: string, fields: Fields): string => {
  let text = message
  for (const name of meanings) {
    const value = fields[name]
    if (value !== undefined) text += `\n${name} ${String(value)}`
  }
  return text
}
const meant = (fields: Fields): Fields => {
  const meaning: Record<string, Fields[string]> = {}
  for (const name of meanings) if (fields[name] !== undefined) meaning[name] = fields[name]
  return meaning
}

const present = (fields: Fields): Record<string, unknown> => {
  const shown: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(fields)) if (value !== undefined) shown[key] = value
  return shown
}
