/**
 * What is logged, on the console: a line of JSON for machines, with the ids of the trace as OpenTelemetry
 * names them (https://opentelemetry.io/docs/specs/otel/compatibility/logging_trace_context/), or a line for
 * people where a terminal is.
 */
import { Cause, type LogLevel, Logger, References } from "effect"
import type { Redaction } from "../../observe/Redaction.ts"

interface Entry {
  readonly time: Date
  readonly level: LogLevel.LogLevel
  readonly messages: ReadonlyArray<unknown>
  readonly fields: Readonly<Record<string, unknown>>
  readonly error: string | undefined
  readonly span: { readonly traceId: string; readonly spanId: string; readonly sampled: boolean } | undefined
}

const entryOf = ({ cause, date, fiber, logLevel, message }: Logger.Options<unknown>, redaction: Redaction): Entry => ({
  time: date,
  level: logLevel,
  messages: (Array.isArray(message) ? message : [message]).map(redaction.value),
  fields: redaction.fields(fiber.getRef(References.CurrentLogAnnotations)),
  error: cause.reasons.length === 0 ? undefined : String(redaction.value(Cause.pretty(cause))),
  span: fiber.cache.span
})

const text = (value: unknown): string =>
  typeof value === "string"
    ? value
    : value instanceof Error
      ? `${value.name}: ${value.message}`
      : (JSON.stringify(value, plain) ?? String(value))

/** What JSON has no form for. */
const plain = (_: string, value: unknown): unknown =>
  typeof value === "bigint" || typeof value === "symbol" || typeof value === "function"
    ? String(value)
    : value instanceof Error
      ? `${value.name}: ${value.message}`
      : value

const asJson = ({ error, fields, level, messages, span, time }: Entry): string =>
  JSON.stringify(
    {
      ...fields,
      timestamp: time.toISOString(),
      level: level.toUpperCase(),
      message: messages.length === 1 ? messages[0] : messages,
      ...(span !== undefined && {
        trace_id: span.traceId,
        span_id: span.spanId,
        trace_flags: span.sampled ? "01" : "00"
      }),
      ...(error !== undefined && { error_stack: error })
    },
    plain
  )

const colours: Readonly<Partial<Record<LogLevel.LogLevel, number>>> = {
  Debug: 90,
  Info: 32,
  Warn: 33,
  Error: 31,
  Fatal: 31
}

const forPeople =
  (coloured: boolean) =>
  ({ error, fields, level, messages, span, time }: Entry): string => {
    const paint = (colour: number, what: string): string => (coloured ? `\u001b[${colour}m${what}\u001b[0m` : what)
    const details = Object.entries(fields).map(([key, value]) => `${paint(90, `${key}=`)}${text(value)}`)
    const trace = span === undefined ? [] : [paint(90, `trace=${span.traceId.slice(0, 8)}`)]
    const head = `${time.toISOString().slice(11, 23)} ${paint(colours[level] ?? 37, level.toUpperCase().padEnd(5))}`
    const line = [head, ...messages.map(text), ...details, ...trace].join(" ")
    return error === undefined ? line : `${line}\n${error}`
  }

export type Form = "json" | "pretty"

export const logger = (form: Form, redaction: Redaction, coloured: boolean): Logger.Logger<unknown, void> => {
  const write = form === "json" ? asJson : forPeople(coloured)
  return Logger.withConsoleLog(Logger.make((options) => write(entryOf(options, redaction))))
}
