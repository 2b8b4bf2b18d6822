/**
 * Writes logs to the console: one line of JSON for machines, with the ids of the trace named as in OpenTelemetry
 * (https://opentelemetry.io/docs/specs/otel/compatibility/logging_trace_context/), or one readable line on a
 * terminal.
 */
import * as Cause from "effect/Cause"
import type * as LogLevel from "effect/LogLevel"
import * as Logger from "effect/Logger"
import * as Predicate from "effect/Predicate"
import * as References from "effect/References"
import { printable, printableLines } from "../../event/FieldValue.ts"
import type { Redaction } from "../../observe/Redaction.ts"

/** One log call, with secrets removed. */
export interface LogRecord {
  readonly time: Date
  readonly level: LogLevel.LogLevel
  readonly messages: ReadonlyArray<unknown>
  readonly fields: Readonly<Record<string, unknown>>
  readonly error: string | undefined
  readonly span: { readonly traceId: string; readonly spanId: string; readonly sampled: boolean } | undefined
}

export const recordOf = (
  { cause, date, fiber, logLevel, message }: Logger.Options<unknown>,
  redaction: Redaction
): LogRecord => ({
  time: date,
  level: logLevel,
  messages: (Array.isArray(message) ? message : [message]).map(redaction.value),
  fields: redaction.fields(fiber.getRef(References.CurrentLogAnnotations)),
  error: cause.reasons.length === 0 ? undefined : Cause.pretty(redaction.cause(cause)),
  span: fiber.cache.span
})

export const text = (value: unknown): string =>
  Predicate.isString(value)
    ? value
    : Predicate.isError(value)
      ? `${value.name}: ${value.message}`
      : (JSON.stringify(value, jsonValue) ?? String(value))

/** Replaces values that JSON cannot represent. */
const jsonValue = (_: string, value: unknown): unknown =>
  Predicate.isBigInt(value) || Predicate.isSymbol(value) || Predicate.isFunction(value)
    ? String(value)
    : Predicate.isError(value)
      ? `${value.name}: ${value.message}`
      : value

const asJson = ({ error, fields, level, messages, span, time }: LogRecord): string =>
  // JSON escapes some control characters by itself; all of them are within texts, so it stays the same JSON.
  printable(
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
      jsonValue
    )
  )

const colours: Readonly<Partial<Record<LogLevel.LogLevel, number>>> = {
  Debug: 90,
  Info: 32,
  Warn: 33,
  Error: 31,
  Fatal: 31
}

/** Only an entry of its own begins at the left: another one cannot be forged within a text. */
const indented = (lines: string): string => printableLines(lines).replaceAll("\n", "\n  ")

const asText =
  (coloured: boolean) =>
  ({ error, fields, level, messages, span, time }: LogRecord): string => {
    const paint = (colour: number, part: string): string => (coloured ? `\u001b[${colour}m${part}\u001b[0m` : part)
    const details = Object.entries(fields).map(
      ([key, value]) => `${paint(90, `${printable(key)}=`)}${printable(text(value))}`
    )
    const trace = span === undefined ? [] : [paint(90, `trace=${span.traceId.slice(0, 8)}`)]
    const head = `${time.toISOString().slice(11, 23)} ${paint(colours[level] ?? 37, level.toUpperCase().padEnd(5))}`
    const line = [head, ...messages.map((message) => indented(text(message))), ...details, ...trace].join(" ")
    return error === undefined ? line : `${line}\n  ${indented(error)}`
  }

export type Format = "json" | "pretty"

export const make = (format: Format, redaction: Redaction, coloured: boolean): Logger.Logger<unknown, void> => {
  const write = format === "json" ? asJson : asText(coloured)
  return Logger.withConsoleLog(Logger.make((options) => write(recordOf(options, redaction))))
}
