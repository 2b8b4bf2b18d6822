/**
 * Gives log calls to a function of the service, as plain entries without secrets. The function may fail: what the bus does
 * while it logs goes on.
 */
import * as Logger from "effect/Logger"
import * as Predicate from "effect/Predicate"
import { printableLines } from "../../event/FieldValue.ts"
import type { Redaction } from "../../observe/Redaction.ts"
import * as ConsoleLogger from "./ConsoleLogger.ts"
import { levelOf, type LogEntry, type LogTarget } from "./LogEntry.ts"

/** The loggers of a target. */
export const of = (target: LogTarget, redaction: Redaction): ReadonlyArray<Logger.Logger<unknown, void>> =>
  target === "none"
    ? []
    : [
        Predicate.isFunction(target)
          ? make(target, redaction)
          : ConsoleLogger.make(target, redaction, process.stdout.isTTY)
      ]

const make = (write: (entry: LogEntry) => unknown, redaction: Redaction): Logger.Logger<unknown, void> => {
  let isReported = false
  /** Once, and past the function itself: a log that is away would fill the console. */
  const onFailure = (error: unknown): void => {
    if (isReported) return
    isReported = true
    const reason = Predicate.isError(error) ? (error.stack ?? `${error.name}: ${error.message}`) : String(error)
    process.emitWarning(
      printableLines(`the function in the option \`logger\` failed, and entries of the log are lost: ${reason}`)
    )
  }
  return Logger.make((options) => {
    const { error, fields, level, messages, span, time } = ConsoleLogger.recordOf(options, redaction)
    try {
      const written = write({
        time,
        level: levelOf(level),
        message: messages.map(ConsoleLogger.text).join(" "),
        fields,
        ...(error !== undefined && { cause: error }),
        ...(span !== undefined && { traceId: span.traceId, spanId: span.spanId })
      })
      // A rejection that nobody handles would end the process.
      if (Predicate.isPromiseLike(written)) void written.then(undefined, onFailure)
    } catch (failure) {
      onFailure(failure)
    }
  })
}
