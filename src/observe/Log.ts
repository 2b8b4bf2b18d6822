/**
 * The log of the runtime. An entry says what happened to one event or one component, with ids and names as annotations
 * and never with data, which may be secret. A publish is logged at level debug, a failed attempt as a warning, a dead
 * letter as an error; each entry belongs to the trace of its event. Repeated warnings and errors are throttled.
 *
 * Entries are written by plain functions because callbacks write them as well as fibers. Whether debug is enabled is
 * decided once, so that it costs nothing when it is not.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as LogLevel from "effect/LogLevel"
import * as Predicate from "effect/Predicate"
import * as References from "effect/References"
import * as Tracer from "effect/Tracer"
import { printable } from "../event/FieldValue.ts"
import * as LogThrottle from "./LogThrottle.ts"

/** `span` is not a field, but the span that the entry belongs to. */
export interface Fields {
  readonly [name: string]: string | number | boolean | Tracer.AnySpan | undefined
  readonly span?: Tracer.AnySpan | undefined
}

export interface Log {
  readonly debugEnabled: boolean
  readonly debug: (message: string, fields: Fields) => void
  readonly info: (message: string, fields: Fields) => void
  /** `more` is asked for the fields that cost something, if the entry is written. */
  readonly warning: (message: string, fields: Fields, more?: () => Fields) => void
  readonly error: (message: string, fields: Fields, more?: () => Fields) => void
}

/** Lives as long as the current scope. When the scope closes, throttled entries are summed up. */
export const make = Effect.gen(function* () {
  const context = yield* Effect.context<never>()
  const throttle = LogThrottle.make(context)
  yield* Effect.addFinalizer(() => Effect.sync(throttle.flush))
  return makeLog(context, throttle)
})

const makeLog = (context: Context.Context<never>, throttle: LogThrottle.LogThrottle): Log => {
  const run = Effect.runForkWith(context)
  const unthrottled =
    (level: "Debug" | "Info" | "Warn" | "Error") =>
    (message: string, { span, ...fields }: Fields): void => {
      const write = Effect.annotateLogs(Effect.logWithLevel(level)(printable(message)), present(fields))
      run(span === undefined ? write : Effect.provideService(write, Tracer.ParentSpan, span))
    }
  const throttled = (level: "Warn" | "Error") => {
    const write = unthrottled(level)
    return (message: string, fields: Fields, more?: () => Fields): void => {
      const sumUp = (suppressed: number, seconds: number): void =>
        write(`${message} (and ${suppressed.toLocaleString("en")} more in ${seconds} s)`, {
          ...distinguishing(fields),
          suppressed
        })
      if (!throttle.admits(meaningOf(message, fields), sumUp)) return
      write(message, more === undefined ? fields : { ...fields, ...more() })
    }
  }
  return {
    debugEnabled: LogLevel.isGreaterThanOrEqualTo("Debug", Context.get(context, References.MinimumLogLevel)),
    debug: unthrottled("Debug"),
    info: unthrottled("Info"),
    warning: throttled("Warn"),
    error: throttled("Error")
  }
}

/** The fields that distinguish failures: where one happened and what it is, not which event was affected. */
const distinguishingFields: ReadonlyArray<string> = ["subscriber", "event", "error", "reason", "to"]
/** Concatenated text instead of JSON: most throttled entries are not written, and cost nothing but this. */
const meaningOf = (message: string, fields: Fields): string => {
  let text = message
  for (const name of distinguishingFields) {
    const value = fields[name]
    if (value !== undefined) text += `\n${name} ${String(value)}`
  }
  return text
}
const distinguishing = (fields: Fields): Fields => {
  const kept: Record<string, Fields[string]> = {}
  for (const name of distinguishingFields) if (fields[name] !== undefined) kept[name] = fields[name]
  return kept
}

/**
 * Without the fields that are undefined. Ids, types, keys and messages come from outside, and most loggers write texts as they
 * are, Effect's own among them: their control characters are escaped here, whatever the logger.
 */
const present = (fields: Fields): Record<string, unknown> => {
  const shown: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(fields))
    if (value !== undefined) shown[key] = Predicate.isString(value) ? printable(value) : value
  return shown
}
