/** The log of an app: what the bus writes goes to the logger of Nest, unless its options say otherwise. */
import { Logger } from "@nestjs/common"
import type { PromiseBusOptions, PromiseExtras } from "../app/promise/PromiseEventBus.ts"
import type { LogEntry } from "../app/telemetry/LogEntry.ts"

type Given = PromiseBusOptions | PromiseExtras | undefined

/** These options with the logger of Nest where they name no target. */
export const withNestLog = (given: Given, name: string | undefined): Given => {
  // Callers without types may pass anything. What is wrong, and an object with nothing, is for the bus to refuse.
  if (given !== undefined && (!isObject(given) || Object.keys(given).length === 0)) return given
  const logger: unknown = given?.logger
  if (logger !== undefined && !(isObject(logger) && Reflect.get(logger, "to") === undefined)) return given
  const context = new Logger(name === undefined ? "EventBus" : `EventBus ${name}`)
  return { ...given, logger: { ...logger, to: (entry) => write(context, entry) } }
}

const isObject = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const write = (logger: Logger, entry: LogEntry): void => {
  const line = [entry.message, ...Object.entries(entry.fields).map(([name, value]) => `${name}=${shown(value)}`)].join(
    " "
  )
  const { cause } = entry
  switch (entry.level) {
    case "trace":
      return logger.verbose(withCause(line, cause))
    case "debug":
      return logger.debug(withCause(line, cause))
    case "info":
      return logger.log(withCause(line, cause))
    case "warn":
      return logger.warn(withCause(line, cause))
    case "error":
      return cause === undefined ? logger.error(line) : logger.error(line, cause)
    case "fatal":
      return cause === undefined ? logger.fatal(line) : logger.fatal(line, cause)
  }
}

const withCause = (line: string, cause: string | undefined): string =>
  cause === undefined ? line : `${line}\n${cause}`

const shown = (value: unknown): string => (typeof value === "string" ? value : (JSON.stringify(value) ?? String(value)))
